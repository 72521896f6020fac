"""Between the web server and Django: a request's body is read here, with a deadline, before a thread is taken for it.

The server speaks ASGI, whose waiting costs no thread; Django is called as the WSGI program that it is.
"""
