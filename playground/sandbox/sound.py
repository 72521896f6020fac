"""A quiet pad under the picture, so that a player shows and plays a sound track."""

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
LOOP_SECONDS = 8
CHORDS = ((110.0, 164.75, 220.0, 277.25), (98.0, 146.75, 220.0, 246.875), (130.75, 196.0, 261.625, 329.625),
          (87.25, 174.625, 220.0, 261.625))  # fmt: skip
"""Frequencies in steps of 1/8 Hz, so that eight seconds repeat without a click."""


def pad(seconds: float, seed: int) -> NDArray[np.int16]:
    """`seconds` of mono sound at 44.1 kHz, faded in and out. The same seed gives the same sound."""
    t = np.arange(RATE * LOOP_SECONDS, dtype=np.float32) / RATE
    loop = np.zeros_like(t)
    for index, pitch in enumerate(CHORDS[seed % len(CHORDS)]):
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * t * (index + 1) / LOOP_SECONDS + index)
        loop += np.sin(2 * np.pi * np.float32(pitch) * t) * swell / (index + 2)
    total = int(seconds * RATE)
    sound = np.tile(loop, total // len(loop) + 1)[:total] * 0.11
    edge = min(total // 2, RATE // 2)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    sound[:edge] *= ramp
    sound[total - edge :] *= ramp[::-1]
    return (sound * 32767).astype(np.int16)
