"""A generated set of display-panel images, for trying Loupe without data of one's own.

Every panel is a periodic array of pixel cells (gate lines, data lines, a transistor and slit electrodes in
each) with one defect; several photos show the same panel at another place, scale, angle and brightness, as an
inspection machine's retakes do. `groups.csv` says which photos belong together, because they must not fall on
both sides of a split (D3). The same seed gives the same bytes.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""(H, W), 0..1."""
Scene = NDArray[np.float32]
"""(H, W, 3) BGR, 0..255."""

SCENE_PX = 320
"""Side of the stretch of panel of which a photo shows a part."""
_JPEG_QUALITY = 92
_PHOTOS_PER_PANEL = 3


@dataclass(frozen=True, slots=True)
class SampleSet:
    """What was written: the code's number of images for each code, panels, masks and nonconforming images."""

    directory: Path
    images_per_code: dict[str, int]
    panels: int
    masks: int
    nonconforming: int

    @property
    def images(self) -> int:
        """All images, nonconforming ones among them."""
        return sum(self.images_per_code.values())


@dataclass(frozen=True, slots=True)
class _Panel:
    """One panel's design and material: what all its photos share."""

    pitch_x_px: float
    pitch_y_px: float
    data_line: float
    gate_line: float
    substrate: tuple[float, float, float]
    metal: tuple[float, float, float]
    gate: tuple[float, float, float]
    electrode: tuple[float, float, float]
    tint: float
    slits: int
    slant: float
    phase: tuple[float, float]
    stripe_first: int


_Draw = Callable[[Scene, Plane, _Panel, np.random.Generator], tuple[Scene, Plane]]


def write_sample(directory: Path, *, per_code: int = 60, seed: int = 0) -> SampleSet:
    """Write the set under `directory`, which must be empty or absent.

    Each of the five ordinary codes gets `per_code` images, each of the two special ones a fifth of that. A
    few more are strips of less than 16 pixels, which the resolution filter is there to set aside (M1).
    """
    if per_code < 2:
        raise ValueError(f"per_code is {per_code}; a class needs at least 2 images")
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; name a folder that is")
    directory.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(DEFECTS, 0)
    rows: list[tuple[str, str, str]] = []
    panels = masks = nonconforming = 0
    for code_index, (code, draw) in enumerate(DEFECTS.items()):
        folder = directory / code
        folder.mkdir(exist_ok=True)
        wanted = per_code if code in ORDINARY_CODES else max(2, per_code // 5)
        strips = (
            -(-per_code // 60) if code in ORDINARY_CODES[:4] and (per_code >= 30 or code_index == 0) else 0
        )
        for panel_number, photos in enumerate(_photos_per_panel(wanted)):
            # A generator of its own for every panel: a larger set begins with the smaller one's panels.
            rng = np.random.default_rng([seed, code_index, panel_number])
            # Other seeds draw other panels, which must not pass for the same (D3).
            panel = f"{code}-P{panel_number:03d}" if seed == 0 else f"{code}-S{seed}-P{panel_number:03d}"
            panels += 1
            scene, mask = _defective_scene(draw, rng)
            for photo in range(photos):
                picture, cut_mask, brightness = _photograph(scene, mask, rng)
                stem = f"P{panel_number:03d}_{photo + 1}"
                _write(folder, stem, picture, cut_mask)
                rows.append((f"{code}/{stem}.jpg", panel, f"{brightness:.2f}"))
                counts[code] += 1
                masks += 1
            if panel_number < strips:
                stem = f"P{panel_number:03d}_strip"
                _write(folder, stem, _strip(picture), None)
                rows.append((f"{code}/{stem}.jpg", panel, f"{brightness:.2f}"))
                counts[code] += 1
                nonconforming += 1
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("file", "panel", "brightness"))
    writer.writerows(sorted(rows))
    (directory / "groups.csv").write_text(table.getvalue())
    return SampleSet(directory, counts, panels, masks, nonconforming)


def _photos_per_panel(images: int) -> Iterator[int]:
    """Splits a number of images into panels of 3 photos, and into no fewer than two panels."""
    if images == _PHOTOS_PER_PANEL:
        yield from (images - 1, 1)
        return
    while images > 0:
        photos = 1 if images in (2, 4) else min(_PHOTOS_PER_PANEL, images)
        yield photos
        images -= photos


def _write(folder: Path, stem: str, picture: NDArray[np.uint8], mask: NDArray[np.uint8] | None) -> None:
    (folder / f"{stem}.jpg").write_bytes(
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    )
    if mask is not None:
        (folder / f"{stem}.mask.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())


# --- the panel ----------------------------------------------------------------------------------------------


def _defective_scene(draw: _Draw, rng: np.random.Generator) -> tuple[Scene, Plane]:
    panel = _panel(rng)
    y, x = np.mgrid[0:SCENE_PX, 0:SCENE_PX].astype(np.float32)
    scene = _cells(panel, x, y)
    # Material is never quite even: a slow drift of the film's thickness.
    scene *= (1 + 0.06 * (_cloud(rng, 5) - 0.5))[..., None]
    return draw(scene, _cloud(rng, 40), panel, rng)


def _panel(rng: np.random.Generator) -> _Panel:
    warmth = rng.uniform(-10, 10)
    base = rng.uniform(0.85, 1.12)

    def colour(blue: float, green: float, red: float) -> tuple[float, float, float]:
        return (base * (blue - warmth), base * green, base * (red + warmth))

    pitch = rng.uniform(20, 27)
    return _Panel(
        pitch_x_px=pitch,
        pitch_y_px=pitch * rng.uniform(1.55, 1.9),
        data_line=rng.uniform(0.14, 0.2),
        gate_line=rng.uniform(0.12, 0.16),
        substrate=colour(72, 70, 64),
        metal=colour(182, 190, 192),
        gate=colour(138, 150, 150),
        electrode=colour(112, 116, 108),
        tint=rng.uniform(8, 20),
        slits=int(rng.integers(2, 4)),
        slant=rng.uniform(0.1, 0.35) * rng.choice((-1, 1)),
        phase=(rng.uniform(0, 1), rng.uniform(0, 1)),
        stripe_first=int(rng.integers(0, 3)),
    )


def _cells(panel: _Panel, x: Plane, y: Plane) -> Scene:
    """The flawless array at pixel positions x, y."""
    u_all, v_all = x / panel.pitch_x_px + panel.phase[0], y / panel.pitch_y_px + panel.phase[1]
    u, v = u_all % 1, v_all % 1
    soft_u, soft_v = 0.7 / panel.pitch_x_px, 0.7 / panel.pitch_y_px
    scene = np.empty((*x.shape, 3), np.float32)
    scene[:] = panel.substrate
    # Electrode with chevron slits, tinted by the colour filter behind it.
    inside = _between(u, panel.data_line + 0.08, 0.94, soft_u) * _between(
        v, panel.gate_line + 0.06, 0.95, soft_v
    )
    slit = np.cos(2 * np.pi * panel.slits * (u + panel.slant * np.abs(v - 0.55)))
    stripe = (np.floor(u_all).astype(np.int64) + panel.stripe_first) % 3
    electrode = np.empty_like(scene)
    electrode[:] = panel.electrode
    electrode[np.arange(3) == stripe[..., None]] += panel.tint
    electrode *= (1 + 0.13 * np.clip(2 * slit, -1, 1))[..., None]
    scene = _blend(scene, electrode, inside)
    scene = _blend(scene, panel.gate, _gate_lines(panel, v))
    scene = _blend(scene, panel.metal, _data_lines(panel, u))
    # Transistor: a dark island on the gate line, its drain, and the contact hole of the electrode.
    island = _between(u, panel.data_line * 0.6, 0.52, soft_u) * _between(
        v, 0.02, panel.gate_line + 0.03, soft_v
    )
    scene = _blend(scene, tuple(0.75 * c for c in panel.substrate), 0.85 * island)
    drain = _between(u, 0.36, 0.47, soft_u) * _between(v, 0.05, panel.gate_line + 0.13, soft_v)
    scene = _blend(scene, panel.metal, 0.9 * drain)
    hole = np.hypot((u - 0.42) * panel.pitch_x_px, (v - panel.gate_line - 0.13) * panel.pitch_y_px)
    return _blend(scene, tuple(1.12 * c for c in panel.metal), np.clip(2.6 - hole, 0, 1))


def _data_lines(panel: _Panel, u: Plane) -> Plane:
    return _between(u, 0.0, panel.data_line, 0.7 / panel.pitch_x_px)


def _gate_lines(panel: _Panel, v: Plane) -> Plane:
    return _between(v, 0.0, panel.gate_line, 0.7 / panel.pitch_y_px)


def _between(t: Plane, low: float, high: float, soft: float) -> Plane:
    """1 where low < t < high, with edges as wide as `soft` on either side."""
    inside: Plane = np.clip((t - low) / soft + 0.5, 0, 1) * np.clip((high - t) / soft + 0.5, 0, 1)
    return inside


def _blend(scene: Scene, colour: Scene | tuple[float, ...], alpha: Plane) -> Scene:
    return scene + (np.asarray(colour, np.float32) - scene) * alpha[..., None]


def _cloud(rng: np.random.Generator, cells: int) -> Plane:
    """Smooth noise in 0..1 with about `cells` features along a side."""
    coarse = rng.random((cells, cells), np.float32)
    cloud = cv2.resize(coarse, (SCENE_PX, SCENE_PX), interpolation=cv2.INTER_CUBIC)
    return np.clip(cloud, 0, 1).astype(np.float32)


# --- the defects; each draws near the middle of the scene and returns the scene and where the defect is -----


def _positions(rng: np.random.Generator, spread_px: float = 14) -> tuple[Plane, Plane, float, float]:
    y, x = np.mgrid[0:SCENE_PX, 0:SCENE_PX].astype(np.float32)
    cx, cy = SCENE_PX / 2 + rng.uniform(-spread_px, spread_px, 2)
    return x - cx, y - cy, float(cx), float(cy)


def _blob(  # noqa: PLR0913 -- where, how large, how irregular
    x: Plane, y: Plane, radius_px: float, rng: np.random.Generator, *, rough: float, stretch: float = 1.0
) -> Plane:
    """Signed distance, roughly in pixels and positive inside, of an irregular round shape."""
    turn = rng.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    angle = np.arctan2(across * stretch, along)
    edge = np.full_like(x, radius_px)
    for wave in range(2, 8):
        edge += (
            radius_px
            * rough
            / wave
            * rng.uniform(0.4, 1.4)
            * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
        )
    distance: Plane = edge - np.hypot(along, across * stretch)
    return distance


def _particle(scene: Scene, grain: Plane, _panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TPFIP: a foreign particle on the film: dark, jagged, lit on one side, with a shadow on the other."""
    x, y, _, _ = _positions(rng)
    distance = _blob(x, y, rng.uniform(10, 21), rng, rough=0.55, stretch=rng.uniform(1.0, 1.7))
    for _ in range(int(rng.integers(0, 4))):
        dx, dy = rng.uniform(-36, 36, 2)
        distance = np.maximum(distance, _blob(x - dx, y - dy, rng.uniform(2.5, 5), rng, rough=0.4))
    body = np.clip(distance + 0.5, 0, 1)
    light = rng.uniform(0, 2 * np.pi)
    shift = np.array([[1, 0, 5 * np.cos(light)], [0, 1, 5 * np.sin(light)]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(body, shift, (SCENE_PX, SCENE_PX)), (0, 0), 3)
    scene = scene * (1 - 0.45 * shadow)[..., None]
    height = cv2.GaussianBlur(np.clip(distance, 0, 9), (0, 0), 1.5)
    slope_y, slope_x = np.gradient(height)
    lit = -(slope_x * np.cos(light) + slope_y * np.sin(light))
    # Lit from where the shadow does not fall, so the particle stands up from the film.
    surface = 40 + 26 * grain - 75 * np.minimum(-lit, 0) * -1 + 120 * np.clip(-lit, 0, 1) ** 2
    colour = np.stack([surface * 0.85, surface * 0.95, surface], axis=-1).astype(np.float32)
    return _blend(scene, np.clip(colour, 12, 215), body), body


def _line_break(scene: Scene, grain: Plane, panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TTFBS: a stretch of a data or gate line is missing; what lies under it shows."""
    x, y, cx, cy = _positions(rng)
    vertical = bool(rng.random() < 0.65)
    if vertical:
        pitch, phase, centre, width = panel.pitch_x_px, panel.phase[0], cx, panel.data_line * panel.pitch_x_px
        position, along = x + cx, y
    else:
        pitch, phase, centre, width = panel.pitch_y_px, panel.phase[1], cy, panel.gate_line * panel.pitch_y_px
        position, along = y + cy, x
    line = round(centre / pitch + phase)
    middle = (line - phase) * pitch + width / 2
    off_line = np.abs(position - middle)
    half_length = rng.uniform(9, 26)
    ragged = half_length + 5 * (grain - 0.5)
    gap = np.clip(ragged - np.abs(along) + 0.5, 0, 1) * np.clip(width / 2 + 1.6 - off_line, 0, 1)
    under = np.array(panel.substrate, np.float32) * rng.uniform(0.35, 0.6)
    scene = _blend(scene, tuple(under), gap)
    # The torn ends curl up and shine.
    rim = np.exp(-(((np.abs(along) - ragged - 1.5) / 1.8) ** 2)) * np.clip(width / 2 + 0.5 - off_line, 0, 1)
    return _blend(scene, (250, 250, 250), 0.8 * rim.astype(np.float32)), gap


def _mud(scene: Scene, grain: Plane, _panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TTMUD: a dried stain: wide, translucent, brownish, darker along its edge."""
    x, y, _, _ = _positions(rng, 10)
    wobble = _cloud(rng, 9)
    distance = _blob(x, y, rng.uniform(30, 50), rng, rough=0.5, stretch=rng.uniform(1.0, 1.5))
    distance = distance + 18 * (wobble - 0.5)
    inside = np.clip(distance / 4 + 0.5, 0, 1)
    ring = np.exp(-(((distance - 3) / 4.0) ** 2)).astype(np.float32)
    strength: Plane = np.clip(inside * (0.3 + 0.22 * wobble + 0.14 * (grain - 0.5)) + 0.3 * ring, 0, 0.85)
    blurred: Scene = cv2.GaussianBlur(scene, (0, 0), 1.0).astype(np.float32)
    scene += (blurred - scene) * (0.7 * inside)[..., None]
    brown = np.array([34, 58, 82], np.float32) * rng.uniform(0.8, 1.3)
    return _blend(scene, tuple(brown), strength.astype(np.float32)), np.clip(distance + 0.5, 0, 1)


def _short(scene: Scene, grain: Plane, panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TGGS0: metal left between neighbouring lines bridges the gap and shorts them."""
    x, y, cx, _ = _positions(rng)
    spans = int(rng.integers(1, 3))
    left_line = round(cx / panel.pitch_x_px + panel.phase[0])
    left = (left_line - panel.phase[0]) * panel.pitch_x_px - cx
    right = left + spans * panel.pitch_x_px + panel.data_line * panel.pitch_x_px
    thickness = rng.uniform(3.5, 7.5)
    waist = thickness * (1 + 0.5 * (((x - (left + right) / 2) / (right - left)) * 2) ** 2) + 4 * (grain - 0.5)
    sag = rng.uniform(-6, 6) * np.sin(np.pi * np.clip((x - left) / (right - left), 0, 1))
    bridge = np.clip(waist - np.abs(y - sag), 0, 1) * _between(x, float(left), float(right), 1.2)
    patch = _blob(x - (left + right) / 2, y, rng.uniform(5, 11), rng, rough=0.5)
    bridge = np.maximum(bridge, np.clip(patch + 0.5, 0, 1)).astype(np.float32)
    edge = np.clip(cv2.dilate(bridge, np.ones((3, 3), np.uint8)) - bridge, 0, 1)
    scene = scene * (1 - 0.45 * edge)[..., None]
    metal = np.array(panel.metal, np.float32) * rng.uniform(0.98, 1.1)
    sheen = (0.92 + 0.16 * grain)[..., None] * metal
    return _blend(scene, sheen.astype(np.float32), 0.95 * bridge), bridge


def _spot(scene: Scene, _grain: Plane, _panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TPOTS: a round bright spot with a halo: a pinhole that lets light through, or a droplet's lens."""
    x, y, _, _ = _positions(rng)
    mask = np.zeros_like(x)
    for spot in range(int(rng.integers(1, 3))):
        dx, dy = (0.0, 0.0) if spot == 0 else rng.uniform(-30, 30, 2)
        radius = rng.uniform(6, 12) if spot == 0 else rng.uniform(3, 6)
        away = np.hypot(x - dx, y - dy)
        halo = np.exp(-((away / (2.1 * radius)) ** 2))
        core = np.clip((radius - away) / 2.0 + 0.5, 0, 1)
        tint = np.array([255, 250, 240], np.float32) - rng.uniform(0, 18, 3).astype(np.float32)
        scene = _blend(scene, tuple(tint), (0.42 * halo).astype(np.float32))
        scene = _blend(scene, tuple(tint), (0.92 * core).astype(np.float32))
        mask = np.maximum(mask, np.clip(radius * 1.25 - away + 0.5, 0, 1))
    return scene, mask.astype(np.float32)


def _scratch(scene: Scene, grain: Plane, _panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TSFAS (special): one or a few long thin scratches across the film."""
    x, y, _, _ = _positions(rng, 6)
    turn = rng.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    mask = np.zeros_like(x)
    for scratch in range(int(rng.integers(1, 4))):
        offset = 0.0 if scratch == 0 else rng.uniform(-18, 18)
        bend = rng.uniform(-0.0022, 0.0022)
        away = np.abs(across - offset - bend * along**2)
        half_length = rng.uniform(45, 85)
        width = rng.uniform(0.9, 1.9) * np.clip((half_length - np.abs(along)) / 18, 0, 1)
        line = np.clip(width - away + 0.5, 0, 1) * (0.55 + 0.45 * (grain > 0.3))
        groove = np.clip(width - np.abs(away - 2.4) + 0.5, 0, 1) * np.clip(half_length - np.abs(along), 0, 1)
        scene = scene * (1 - 0.4 * groove)[..., None]
        scene = _blend(scene, (238, 242, 240), (0.9 * line).astype(np.float32))
        mask = np.maximum(mask, np.clip(width + 1.2 - away, 0, 1) * (width > 0))
    return scene, mask.astype(np.float32)


def _discharge(scene: Scene, grain: Plane, _panel: _Panel, rng: np.random.Generator) -> tuple[Scene, Plane]:
    """TSDFS (special): a burn of static discharge: a bright core and dark branches that fork away from it."""
    _, _, cx, cy = _positions(rng)
    branches = np.zeros((SCENE_PX, SCENE_PX), np.uint8)

    def grow(x: float, y: float, heading: float, length: float, width: float) -> None:
        for _ in range(int(length / 5)):
            heading += rng.normal(0, 0.32)
            nx, ny = x + 5 * np.cos(heading), y + 5 * np.sin(heading)
            cv2.line(
                branches, (round(x), round(y)), (round(nx), round(ny)), 255, max(1, round(width)), cv2.LINE_AA
            )
            x, y, width = nx, ny, width * 0.93
            if width > 1.2 and rng.random() < 0.28:
                grow(x, y, heading + rng.choice((-1, 1)) * rng.uniform(0.5, 1.0), length * 0.5, width * 0.8)

    first = rng.uniform(0, 2 * np.pi)
    arms = int(rng.integers(4, 7))
    for arm in range(arms):
        grow(
            cx,
            cy,
            first + 2 * np.pi * arm / arms + rng.normal(0, 0.2),
            rng.uniform(34, 60),
            rng.uniform(3.2, 5),
        )
    burnt = branches.astype(np.float32) / 255
    scorch = cv2.GaussianBlur(burnt, (0, 0), 4)
    scene = _blend(scene, (26, 30, 40), np.clip(0.55 * scorch, 0, 0.8))
    scene = _blend(scene, (14, 16, 24), (0.88 * burnt * (0.75 + 0.25 * grain)).astype(np.float32))
    y, x = np.mgrid[0:SCENE_PX, 0:SCENE_PX].astype(np.float32)
    core = np.exp(-((np.hypot(x - cx, y - cy) / rng.uniform(4, 7)) ** 2))
    return _blend(scene, (215, 240, 250), core.astype(np.float32)), np.maximum(
        burnt, np.clip(1.6 * core, 0, 1)
    )


DEFECTS: dict[str, _Draw] = {
    "TPFIP": _particle,
    "TTFBS": _line_break,
    "TTMUD": _mud,
    "TGGS0": _short,
    "TPOTS": _spot,
    "TSFAS": _scratch,
    "TSDFS": _discharge,
}
"""The source document's code list, in its order: five ordinary codes, then the two special ones."""
ORDINARY_CODES = ("TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS")


# --- the camera ---------------------------------------------------------------------------------------------


def _photograph(
    scene: Scene, mask: Plane, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]:
    """One shot: cut out, turned, lit unevenly, with the sensor's noise; its mask and brightness."""
    width, height = (int(side) for side in rng.integers(128, 201, 2))
    brightness = rng.uniform(0.68, 1.22)
    turn, zoom = rng.normal(0, 1.2), rng.uniform(0.92, 1.08)
    transform = cv2.getRotationMatrix2D((SCENE_PX / 2, SCENE_PX / 2), turn, zoom)
    shift_x, shift_y = rng.uniform(-18, 18, 2)
    transform[0, 2] += (width - SCENE_PX) / 2 + shift_x
    transform[1, 2] += (height - SCENE_PX) / 2 + shift_y
    picture = cv2.warpAffine(
        scene, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    cut = cv2.warpAffine(mask, transform, (width, height), flags=cv2.INTER_LINEAR)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope_x, slope_y = rng.uniform(-0.14, 0.14, 2)
    light = 1 + slope_x * x + slope_y * y - rng.uniform(0.02, 0.12) * (x**2 + y**2)
    picture = picture * (brightness * light)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.45, 0.8))
    picture = picture + rng.normal(0, rng.uniform(1.5, 4), picture.shape).astype(np.float32)
    return (
        np.clip(np.rint(picture), 0, 255).astype(np.uint8),
        np.where(cut > 0.5, 255, 0).astype(np.uint8),
        float(brightness),
    )


def _strip(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a camera that lost its trigger delivers: a few lines only."""
    middle = picture.shape[0] // 2
    return np.ascontiguousarray(picture[middle - 6 : middle + 6])
