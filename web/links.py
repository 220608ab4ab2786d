"""Links that open the page at a tab and with its settings: `?tab=captions&beam=5`.

The address follows the visitor's choices (`setLink` in assets/page.js, which also opens the tabs);
this module reads the settings of a link.
"""

import json
import math
from typing import Any

import gradio as gr

from web.components import private


class LinkedSettings:
    """Settings of the page that a link may name.

    components: name in the address -> its gr.Radio, gr.CheckboxGroup or gr.Slider, whose value at
        the page's start is the default and is left out of the address.
    """

    def __init__(self, **components: Any):
        self._named = components
        for name, component in components.items():
            component.input(None, component, None, js=_follow(name, component.value), **private())

    @property
    def components(self) -> list[Any]:
        """In the order of `read`."""
        return list(self._named.values())

    def read(self, request: gr.Request) -> list[Any]:
        """The value of each component in the page's address, or its default.

        A value that does not exist becomes the default too, with a warning to the visitor.
        """
        values = []
        for name, component in self._named.items():
            value, text = component.value, request.query_params.get(name)
            if text is not None:
                try:
                    value = parse_setting(text, component)
                except ValueError as error:
                    text = f"This link sets “{name}” to a value that does not exist: {error}."
                    gr.Warning(f"{text} The default is used.", title="Part of the link")
            values.append(value)
        return values

    def updates(self, request: gr.Request) -> list[Any]:
        """Updates of the components to the values of `read`, except those at the default."""
        return [
            gr.skip() if value == component.value else value
            for value, component in zip(self.read(request), self.components, strict=True)
        ]


def parse_setting(text: str, component: Any) -> Any:
    """The component's value for this text of an address.

    Raises ValueError with the expected values where there is none. The message does not repeat the
    text, which may be anything.
    """
    if isinstance(component, gr.Slider):
        return _parse_number(text, component)
    known = [value for _, value in component.choices]
    if isinstance(component, gr.CheckboxGroup):
        names = text.split()
        if not set(names) <= set(known):
            raise ValueError(f"any of {', '.join(known)} can be asked for")
        return [name for name in known if name in names]
    if text not in known:
        raise ValueError(f"one of {', '.join(known)} can be asked for")
    return text


def _parse_number(text: str, slider: gr.Slider) -> float:
    low, high, step = slider.minimum, slider.maximum, slider.step
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"a number from {low} to {high} can be asked for")
    rounded = low + round((number - low) / step) * step
    return int(rounded) if step == 1 else round(rounded, 6)


def _follow(name: str, default: Any) -> str:
    """JavaScript of an event: the address follows the component's value."""
    return f"(value) => {{ window.setLink({json.dumps(name)}, value, {json.dumps(default)}); }}"
