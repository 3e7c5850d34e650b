"""When each frame of a film is shown, without decoding any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ava_tools.media.probe import nominal_rate, open_container


def frame_times(path: Path) -> NDArray[np.float64]:
    """Seconds from the first displayed frame, of all frames in display order.

    They are told from the packets; where those have no timestamps, or the same ones twice, the nominal rate counts.

    Raises:
        InputError: no film.
    """
    container, stream = open_container(path)
    with container:
        stamps = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
        rate, unit = float(nominal_rate(stream)), stream.time_base
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if unit is None or len(known) < len(stamps) or len(set(known)) < len(known):
        return np.arange(len(stamps)) / rate
    return np.array([float((stamp - known[0]) * unit) for stamp in known])
