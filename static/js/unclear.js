// A link to an order that is not on the page any more: only the server knows what became of it.
const wanted = location.hash.startsWith("#order-") && location.hash.slice("#order-".length);
if (wanted && !document.getElementById(`order-${wanted}`) && !new URLSearchParams(location.search).has("order"))
  location.replace(`${location.pathname}?order=${encodeURIComponent(wanted)}`);
