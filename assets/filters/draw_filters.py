"""Draws the filters' pictures: `python -m assets.filters.draw_filters`, from the project's folder.

Everything is laid out in centimetres on the mean head (x to the person's left, y down; the eyes
lie at y = -2.6, the tip of the nose at 1.1), painted at four times the size and shrunk.
"""

import cv2
import numpy as np
from PIL import Image

from facial_keypoints.drawing.filters import FILTERS, PICTURES

WIDTH = 800  # pixels of a finished picture
FINER = 4  # times as many while painting

Colour = tuple[float, float, float]


class Sheet:
    """A transparent picture of a filter's area. Masks are (H, W) float32, 0..1."""

    def __init__(self, name: str):
        self.left, self.top, right, bottom = FILTERS[name].area
        self.scale = WIDTH * FINER / (right - self.left)  # pixels per centimetre
        rows = round((bottom - self.top) * self.scale / FINER) * FINER
        self.colour = np.zeros((rows, WIDTH * FINER, 3), np.float32)  # multiplied by alpha
        self.alpha = np.zeros((rows, WIDTH * FINER, 1), np.float32)
        y, x = np.mgrid[0:rows, 0 : WIDTH * FINER].astype(np.float32)
        self.x = (x + 0.5) / self.scale + self.left
        self.y = (y + 0.5) / self.scale + self.top

    def shape(self, points: np.ndarray) -> np.ndarray:
        """The inside of a closed line through (N, 2) centimetres."""
        mask = np.zeros(self.x.shape, np.uint8)
        cv2.fillPoly(mask, [self.fixed(points)], 255, cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def stroke(self, points: np.ndarray, width: float) -> np.ndarray:
        """A line of a width in centimetres through (N, 2) points."""
        mask = np.zeros(self.x.shape, np.uint8)
        cv2.polylines(mask, [self.fixed(points)], False, 255, self.pixels(width), cv2.LINE_AA, 4)
        return mask.astype(np.float32) / 255

    def blur(self, mask: np.ndarray, sigma: float) -> np.ndarray:
        return cv2.GaussianBlur(mask, (0, 0), sigma * self.scale)

    def relief(self, mask: np.ndarray, roundness: float) -> np.ndarray:
        """How much light from above falls on the mask were it a rounded solid: -1..1."""
        solid = self.blur(mask, roundness)
        slope = cv2.Sobel(solid, cv2.CV_32F, 0, 1, ksize=5) * roundness * self.scale / 64
        return np.clip(slope * 1.6, -1, 1)

    def paint(self, mask: np.ndarray, colour: Colour | np.ndarray, opacity: float = 1.0) -> None:
        """Lays a colour, or an (H, W, 3) picture, 0..255, over what is there."""
        cover = (np.clip(mask, 0, 1) * opacity)[..., None]
        self.colour = self.colour * (1 - cover) + np.asarray(colour, np.float32) * cover
        self.alpha = self.alpha * (1 - cover) + cover

    def save(self, name: str) -> None:
        size = (WIDTH, self.x.shape[0] // FINER)
        colour = cv2.resize(self.colour, size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(self.alpha, size, interpolation=cv2.INTER_AREA)[..., None]
        colour = colour / np.maximum(alpha, 1e-4)
        picture = np.concatenate([colour, alpha * 255], axis=2)
        picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        picture[picture[..., 3] == 0] = 0
        Image.fromarray(picture).save(PICTURES / f"{name}.png", optimize=True)

    def pixels(self, width: float) -> int:
        """A line's width in centimetres in whole pixels, at least 1."""
        return max(1, round(width * self.scale))

    def fixed(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) centimetres to OpenCV's sixteenths of a pixel."""
        pixels = (np.asarray(points) - (self.left, self.top)) * self.scale - 0.5
        return np.rint(pixels * 16).astype(np.int32)


def smooth(points: list[tuple[float, float]], closed: bool = False, steps: int = 24) -> np.ndarray:
    """(N, 2): the Catmull-Rom curve through the points."""
    p = np.array(points)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*pieces, p[-2:-1]])


def both(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line on the left of the picture, from its middle outwards, and its mirror image."""
    return [(-x, y) for x, y in reversed(points) if x != 0] + points


def mix(a: Colour, b: Colour, share: np.ndarray) -> np.ndarray:
    """(H, W, 3): from `a` where `share` is 0 to `b` where it is 1."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(a, np.float32) * (1 - share) + np.asarray(b, np.float32) * share


def draw_all() -> None:
    """Draws every picture of `FILTERS` into its place."""
    for draw in (draw_moustache, draw_sunglasses, draw_hat):
        draw()


def draw_sunglasses() -> None:
    sheet = Sheet("sunglasses")
    outline = [
        (-2.35, -1.45), (-1.2, -1.75), (0.6, -1.85), (2.2, -1.75), (2.75, -1.35),
        (2.62, -0.4), (2.2, 0.85), (1.2, 1.95), (-0.2, 2.2), (-1.55, 1.75), (-2.35, 0.5),
    ]  # fmt: skip
    lenses, frame = np.zeros_like(sheet.x), np.zeros_like(sheet.x)
    for side in (-1, 1):
        curve = smooth(outline, closed=True)
        lens = sheet.shape(np.column_stack([side * (3.2 + curve[:, 0]), curve[:, 1] - 2.5]))
        lenses = np.maximum(lenses, lens)
        rim = np.column_stack([side * (3.2 + curve[:, 0] * 1.13), curve[:, 1] * 1.16 - 2.55])
        arm = [(4.9, -4.55), (6.4, -4.6), (7.0, -4.35), (6.95, -3.75), (6.3, -3.5), (5.6, -3.0)]
        frame = np.maximum(frame, sheet.shape(rim))
        frame = np.maximum(frame, sheet.shape(smooth([(side * x, y) for x, y in arm], True)))
    bridge = smooth(both([(0, -3.72), (0.5, -3.62), (1.1, -3.2)]))
    frame = np.maximum(frame, sheet.stroke(bridge, 0.62))
    frame = np.clip(frame - lenses, 0, 1)

    whole = np.maximum(frame, lenses)
    shadow = np.roll(sheet.blur(whole, 0.22), round(0.3 * sheet.scale), axis=0)
    sheet.paint(shadow, (20, 10, 8), 0.38)
    height = np.clip((sheet.y + 4.4) / 4.2, 0, 1)  # 0 at the lenses' top, 1 at their bottom
    glass = mix((22, 20, 26), (128, 84, 58), height**1.6)
    sheet.paint(lenses * (0.95 - 0.33 * height**2), glass)
    for side in (-1, 1):
        across = (sheet.x - side * 3.2) + 0.55 * (sheet.y + 2.5)
        gleam = np.exp(-(((across + 1.05) / 0.34) ** 4)) + 0.7 * np.exp(
            -(((across + 0.25) / 0.12) ** 4)
        )
        fade = np.clip(1.15 - height * 1.05, 0, 1)
        sheet.paint(sheet.blur(lenses * gleam, 0.03) * lenses * fade, (225, 236, 255), 0.34)
    sky = np.exp(-(((height - 0.05) / 0.22) ** 2))
    sheet.paint(lenses * sky, (120, 150, 200), 0.25)
    inner = np.clip(lenses - np.roll(lenses, round(0.16 * sheet.scale), axis=0), 0, 1)
    sheet.paint(sheet.blur(inner, 0.06) * lenses, (0, 0, 0), 0.7)

    light = sheet.relief(frame, 0.13)
    sheet.paint(frame, mix((24, 21, 23), (78, 70, 72), np.maximum(light, 0)))
    shine = sheet.blur(frame * np.maximum(light - 0.55, 0) ** 1.5, 0.02) * frame
    sheet.paint(shine, (255, 255, 255), 1.0)
    for side in (-1, 1):
        for y in (-4.22, -3.9):
            rivet = np.exp(-((np.hypot(sheet.x - side * 6.5, sheet.y - y) / 0.09) ** 6))
            sheet.paint(rivet, mix((235, 235, 240), (120, 120, 128), (sheet.y - y) * 5 + 0.5))
    sheet.save("sunglasses")


def draw_hat() -> None:
    sheet = Sheet("hat")
    rng = np.random.default_rng(4)
    felt = sheet.blur(rng.normal(size=sheet.x.shape).astype(np.float32), 0.035)
    felt = felt / felt.std()

    dip = 0.018 * sheet.x**2  # the brim is low in the middle and turned up at the sides
    crown = sheet.shape(
        smooth(both([(0, -20.2), (3.2, -19.85), (6.0, -18.4), (7.9, -15.7), (8.75, -12.4),
                     (8.9, -9.4), (8.6, -7.4), (4.4, -6.6), (0, -6.4)]), closed=True)
    )  # fmt: skip
    lower = [(0, -6.05), (4.4, -6.3), (8.4, -7.2), (11.0, -8.55), (12.35, -9.9)]
    upper = [(12.9, -10.75), (12.35, -11.05), (11.2, -10.45), (8.6, -8.85), (4.4, -8.05), (0, -7.8)]
    brim = sheet.shape(smooth(both(lower + upper), closed=True))
    edge = sheet.stroke(smooth(both([*lower, (12.95, -10.6)])), 0.34)

    shade = sheet.shape(
        smooth(both([(0, -7.5), (7.2, -8.0), (7.3, -6.6), (4.0, -5.45), (0, -5.2)]), True)
    )
    sheet.paint(sheet.blur(shade, 0.35), (18, 8, 6), 0.42)

    turn = np.clip(np.abs(sheet.x) / 9.0, 0, 1)
    lit = 0.75 * (1 - turn**2.2) + 0.25 * np.clip((-9 - sheet.y) / 11, 0, 1)
    body = mix((26, 27, 36), (84, 86, 104), lit) + felt[..., None] * 2.2
    sheet.paint(crown, body)
    gleam = np.exp(-(((sheet.x + 3.0) / 2.6) ** 2) - ((sheet.y + 17.2) / 1.7) ** 2)
    sheet.paint(crown * gleam, (225, 228, 245), 0.34)
    rimlight = np.clip(crown - np.roll(crown, round(0.25 * sheet.scale), axis=0), 0, 1)
    sheet.paint(sheet.blur(rimlight, 0.12) * crown, (190, 195, 220), 0.45)

    ribbon = crown * np.clip((sheet.y + dip * 0.75 + 11.3) * sheet.scale / 2 + 0.5, 0, 1)
    cloth = mix((84, 14, 30), (176, 44, 62), 1 - turn**1.6)
    weave = 1 + 0.05 * np.sin(sheet.y * 2 * np.pi / 0.14)[..., None]
    sheet.paint(ribbon, cloth * weave)
    top = np.clip(ribbon - np.roll(ribbon, round(0.12 * sheet.scale), axis=0), 0, 1)
    sheet.paint(sheet.blur(top, 0.05) * ribbon, (240, 150, 150), 0.5)
    sheet.paint(crown * np.exp(-(((sheet.y + dip * 0.9 + 7.9) / 0.7) ** 2)), (0, 0, 0), 0.45)
    _draw_feather(sheet)
    _draw_bow(sheet)

    turned = sheet.relief(brim, 0.5)
    across = 0.6 * (1 - np.clip(np.abs(sheet.x) / 13, 0, 1) ** 2) + 0.5 * np.maximum(turned, 0)
    sheet.paint(brim, mix((22, 23, 31), (92, 94, 114), across) + felt[..., None] * 2.2)
    sheet.paint(brim * np.maximum(-turned, 0), (6, 6, 10), 0.7)
    binding = sheet.relief(edge, 0.12)
    sheet.paint(edge, mix((34, 10, 16), (150, 44, 60), 0.45 + binding))
    sheet.save("hat")


def _draw_feather(sheet: Sheet) -> None:
    """On the person's left of the hat, behind the bow."""
    spine = smooth([(6.6, -9.6), (7.6, -12.4), (9.1, -15.2), (11.2, -17.9)])
    rng = np.random.default_rng(1)
    way = np.gradient(spine, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    vane, colours = np.zeros_like(sheet.x), np.zeros_like(sheet.colour)
    thick = sheet.pixels(0.09)
    for i in range(14, len(spine) - 1):
        share = (i - 14) / (len(spine) - 15)
        length = 1.35 * np.sin(np.pi * (0.12 + 0.86 * share)) ** 0.6
        for side in (-1, 1):
            for _ in range(3):
                out = way[i] * 0.75 + side * 0.8 * np.array([-way[i][1], way[i][0]])
                start = spine[i] + way[i] * rng.uniform(0, 0.1)
                tip = start + out * length * rng.uniform(0.85, 1.05)
                bend = (start + tip) / 2 + way[i] * 0.12
                barb = smooth([tuple(start), tuple(bend), tuple(tip)], steps=6)
                colour = np.array([20, 132, 118] if share < 0.72 else [236, 196, 80])
                colour = np.minimum(colour * rng.uniform(0.75, 1.15), 255).tolist()
                cv2.polylines(vane, [sheet.fixed(barb)], False, 1.0, thick, cv2.LINE_AA, 4)
                cv2.polylines(colours, [sheet.fixed(barb)], False, colour, thick, cv2.LINE_AA, 4)
    sheet.paint(vane, colours / np.maximum(vane, 0.05)[..., None], 0.95)
    sheet.paint(sheet.stroke(spine, 0.12), (236, 224, 190))


def _draw_bow(sheet: Sheet) -> None:
    """The ribbon's flat bow, on the person's left."""
    for points in (
        [(6.9, -10.2), (5.2, -11.35), (4.3, -10.9), (4.25, -9.4), (5.0, -8.75)],
        [(6.9, -10.2), (8.5, -11.4), (9.35, -11.0), (9.4, -9.6), (8.6, -8.95)],
    ):
        wing = sheet.shape(smooth(points, closed=True))
        light = sheet.relief(wing, 0.28)
        sheet.paint(sheet.blur(wing, 0.12), (20, 4, 8), 0.5)
        sheet.paint(wing, mix((112, 20, 38), (205, 66, 84), 0.4 + 0.8 * light))
    knot = sheet.shape(
        smooth([(6.4, -11.0), (7.4, -11.05), (7.5, -9.3), (6.45, -9.2)], closed=True)
    )
    sheet.paint(sheet.blur(knot, 0.1), (20, 4, 8), 0.5)
    sheet.paint(knot, mix((120, 22, 40), (214, 76, 92), 0.45 + 0.8 * sheet.relief(knot, 0.2)))


def draw_moustache() -> None:
    sheet = Sheet("moustache")
    rng = np.random.default_rng(7)
    spine = smooth(
        [(-0.12, 2.3), (0.5, 2.42), (1.2, 2.6), (2.1, 3.0), (3.0, 3.4), (3.85, 3.38), (4.6, 2.9),
         (4.95, 2.15), (4.7, 1.5), (4.15, 1.4), (3.9, 1.8), (4.15, 2.1)], steps=40,
    )  # fmt: skip
    way = np.gradient(spine, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    normal = np.column_stack([-way[:, 1], way[:, 0]])  # downwards on the outward stretch
    along = np.linspace(0, 1, len(spine))
    widths = np.interp(along, [0, 0.04, 0.12, 0.22, 0.32, 0.45, 0.6, 0.8, 1],
                      [0.02, 0.3, 0.58, 0.66, 0.56, 0.36, 0.18, 0.09, 0.02])  # fmt: skip
    swell = cv2.GaussianBlur(widths[:, None], (1, 31), 8)[:, 0]
    swell = swell * np.clip((1 - along) / 0.06, 0, 1)  # ends in a point
    over, under = spine - normal * swell[:, None], spine + normal * swell[:, None]
    half = sheet.shape(np.concatenate([under, over[::-1]]))
    base = np.maximum(half, half[:, ::-1])
    shadow = np.roll(sheet.blur(base, 0.14), round(0.16 * sheet.scale), axis=0)
    sheet.paint(shadow, (24, 10, 4), 0.35)
    sheet.paint(sheet.blur(base, 0.06), (40, 23, 14))

    hairs, light = np.zeros_like(sheet.x), np.zeros_like(sheet.x)
    thick = sheet.pixels(0.01)
    for _ in range(6000):
        start, reach = rng.uniform(-0.03, 0.9), rng.uniform(0.08, 0.26)
        part = np.nonzero((along >= start) & (along <= start + reach))[0]
        if len(part) < 3:
            continue
        offset = np.clip(rng.normal(scale=0.55), -1.08, 1.08)
        fan = np.linspace(0, 1, len(part)) * rng.normal(scale=0.2)  # no hair lies quite straight
        lane = np.clip(offset + fan, -1.15, 1.15)[:, None] * (swell[part][:, None] + 0.03)
        line = sheet.fixed(spine[part] + normal[part] * lane)
        round_light = 0.5 - 0.4 * offset - 0.35 * offset**2  # the upper flank faces the light
        tone = float(np.clip(rng.normal(round_light, 0.22), 0.02, 1))
        cv2.polylines(hairs, [line], False, 1.0, thick, cv2.LINE_AA, 4)
        cv2.polylines(light, [line], False, tone, thick, cv2.LINE_AA, 4)
    for mask, tone in ((hairs, light), (hairs[:, ::-1], light[:, ::-1])):
        sheet.paint(mask, mix((30, 16, 10), (178, 116, 70), tone))
    sheet.save("moustache")


if __name__ == "__main__":
    draw_all()
