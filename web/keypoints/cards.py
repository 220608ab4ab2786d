"""HTML of the keypoint tab: the summary and a card for each face."""

from html import escape

from facial_keypoints.face import Face, Pose
from web.components import jpeg_url, notice
from web.keypoints.answer import PhotoAnswer, part_confidence

_NO_FACE_HINT = (
    "The detector misses faces that are very small, dark, covered or turned far away. A closer or "
    "brighter photo helps, and so does cropping the photo to the face."
)


def summary(answer: PhotoAnswer) -> str:
    """Number of faces and time; a hint where there is none."""
    if not answer.faces:
        return notice("info", "No face found", _NO_FACE_HINT)
    count = len(answer.faces)
    faces = "1 face" if count == 1 else f"{count} faces"
    return (
        '<div class="summary" data-said>'
        f"<strong>{faces}</strong> <span>found in {answer.seconds * 1000:.0f} ms in "
        f"<b>{escape(answer.name)}</b>, {answer.width} × {answer.height} pixels</span></div>"
    )


def cards(answer: PhotoAnswer) -> str:
    """One card for each face; empty where there is none."""
    pairs = zip(answer.faces, answer.thumbnails, strict=True)
    items = [_card(index, face, jpeg_url(crop)) for index, (face, crop) in enumerate(pairs)]
    if not items:
        return ""
    return (
        f'<div class="cards" role="list">{"".join(items)}</div>'
        '<p class="footnote">Confidence of a part: the network\'s own estimate, averaged over the '
        "part's points, that a point is less than 5 % of the distance between the outer eye "
        "corners away from its true place. Left and right are the person's own.</p>"
    )


def _card(index: int, face: Face, thumbnail: str) -> str:
    number = index + 1
    return (
        '<div class="card" role="listitem">'
        f'<header><img src="{thumbnail}" alt="Face {number}, cut out of the photo">'
        f"<div><h2>Face {number}</h2><p>A face, {_certainty(face.score)}</p></div>"
        "</header>"
        f"{_pose(face.pose)}{_parts(face)}"
        f'<button type="button" data-face="{index}">Look inside</button></div>'
    )


def _certainty(score: float) -> str:
    return "over 99% certain" if score > 0.99 else f"{score:.0%} certain"


def _pose(pose: Pose | None) -> str:
    if pose is None:
        return '<p class="pose none">The points admit no head pose.</p>'
    rows = (
        ("Yaw", pose.yaw, "to their left", "to their right"),
        ("Pitch", pose.pitch, "up", "down"),
        ("Roll", pose.roll, "clockwise", "anticlockwise"),
    )
    entries = "".join(
        f"<dt>{name}</dt><dd>{abs(angle):.0f}° <span>{plus if angle > 0 else minus}</span></dd>"
        if round(angle)
        else f"<dt>{name}</dt><dd>0°</dd>"
        for name, angle, plus, minus in rows
    )
    return f'<div class="pose">{_dial(pose)}<dl>{entries}</dl></div>'


def _dial(pose: Pose) -> str:
    """A drawing of the head pose: a head turned by the roll, and on it the nose's direction."""
    x, y = (max(-18.0, min(18.0, angle * 0.3)) for angle in (pose.yaw, -pose.pitch))
    return (
        '<svg class="dial" viewBox="-24 -24 48 48" width="64" height="64" aria-hidden="true">'
        f'<g transform="rotate({pose.roll:.1f})"><ellipse rx="18" ry="22"/>'
        '<path d="M-18 0H18M0-22V22"/></g>'
        f'<line x2="{x:.1f}" y2="{y:.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    )


def _parts(face: Face) -> str:
    rows = "".join(
        f'<dt>{part.capitalize()}</dt><dd><span class="bar {part}" style="--value:{value:.3f}">'
        f"</span>{value:.0%}</dd>"
        for part, value in part_confidence(face).items()
    )
    return f'<dl class="parts" aria-label="Confidence by facial part">{rows}</dl>'
