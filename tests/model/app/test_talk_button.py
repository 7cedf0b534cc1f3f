"""What the page's button does, without a browser."""

import gradio as gr
import pytest

from model.app.page import build_page
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (UserError("no face found in <b>"), "no face found in &lt;b&gt;"),
        (ZeroDivisionError("never thought of"), "something went wrong on our side"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence(fault: Exception, sentence: str, capsys):
    class Maker:
        def make(self, *_: object) -> None:
            raise fault

    page = build_page(Maker(), waiting=1)
    (talk,) = [function.fn for function in page.fns.values() if function.api_name == "talk"]
    with pytest.raises(gr.Error) as shown:
        talk(None, None, None, None, 0, paste_back=False)
    assert sentence in shown.value.message
    assert "never thought of" not in shown.value.message
    # A fault of ours is not hidden from the terminal.
    assert ("Traceback" in capsys.readouterr().err) == isinstance(fault, ZeroDivisionError)
