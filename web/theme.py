"""The look of the page that Gradio's theme system can express; the rest is assets/page.css.

`python -m web.theme` writes its variables to assets/static/theme.css, for the static site.
"""

import re
from collections.abc import Iterable

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import LocalFont

from web.device.files import ASSETS

#: Eleven shades from light to dark, as Gradio numbers them: 50, 100, 200 to 900, 950.
_STONE = "#faf8f3 #f3f0e8 #e4dfd3 #cfc9ba #9aa19c #6d7976 #4d5a58 #33403f #223030 #182323 #101819"
_TEAL = "#eef7f4 #d5ebe4 #aed9cd #7fc4b3 #55b39d #1f8a75 #0d6e5d #0b5a4d #0c473e #0c3a33 #06221e"


def build_theme() -> gr.themes.Base:
    """Paper and ink with one teal accent, light and dark; no font comes from the network."""
    theme = gr.themes.Base(
        primary_hue=Color(*_TEAL.split()),
        secondary_hue=Color(*_TEAL.split()),
        neutral_hue=Color(*_STONE.split()),
        radius_size=gr.themes.sizes.radius_md,
        # Gradio's files of weight 600 lack most letters.
        font=[LocalFont("IBM Plex Sans", (400, 700)), "ui-sans-serif", "system-ui", "sans-serif"],
        font_mono=[LocalFont("IBM Plex Mono", (400, 700)), "ui-monospace", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="#1b2a2b",
        body_text_color_dark="#e9eeea",
        body_text_color_subdued="#55625f",
        body_text_color_subdued_dark="#a3b0ab",
        background_fill_primary="#fffdf9",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
        block_background_fill="#fffdf9",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="#55625f",
        block_label_text_color_dark="#a3b0ab",
        block_title_text_color="#55625f",
        block_title_text_color_dark="#a3b0ab",
        block_title_text_weight="400",
        block_title_text_size="*text_sm",
        checkbox_label_shadow="none",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_border_color_selected="*primary_600",
        checkbox_label_border_color_selected_dark="*primary_400",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected="*primary_600",
        checkbox_border_color_selected_dark="*primary_400",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="*primary_950",
        button_secondary_background_fill="#fffdf9",
        button_secondary_background_fill_hover="*primary_50",
        button_secondary_background_fill_dark="*neutral_900",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        link_text_color="*primary_600",
        link_text_color_hover="*primary_700",
        link_text_color_dark="*primary_400",
        link_text_color_hover_dark="*primary_300",
    )


def plain_css(stylesheets: Iterable[str]) -> str:
    """The theme's variables that these stylesheets use, light and dark, without Gradio."""
    rules = re.findall(r"(:root[^{]*)\{([^}]*)\}", build_theme()._get_theme_css())
    light, dark = (dict(re.findall(r"(--[\w-]+): ([^;]+);", body)) for _, body in rules)
    used = set(re.findall(r"var\((--[\w-]+)", "".join(stylesheets)))
    while missing := set(_references(light, used) + _references(dark, used)) - used:
        used |= missing
    blocks = []
    for selector, known in ((":root", light), (".dark", dark)):
        lines = [f"  {name}: {known[name].strip()};" for name in sorted(used & known.keys())]
        blocks.append(f"{selector} {{\n" + "\n".join(lines) + "\n}\n")
    return "\n".join(blocks)


def _references(variables: dict[str, str], names: set[str]) -> list[str]:
    """The variables that the values of these are made of."""
    values = " ".join(variables.get(name, "") for name in names)
    return re.findall(r"var\((--[\w-]+)", values)


def static_theme() -> str:
    """The content of assets/static/theme.css."""
    from web.static.site import STYLES

    texts = [(ASSETS / name).read_text(encoding="utf-8") for name in STYLES]
    head = "/* The theme of web/theme.py; `python -m web.theme` writes this file. */\n\n"
    return head + plain_css(texts)


if __name__ == "__main__":
    (ASSETS / "static" / "theme.css").write_text(static_theme(), encoding="utf-8")
