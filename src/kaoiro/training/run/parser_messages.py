"""jsonargparse's messages in one short line: the option, and what is wrong with it, without the Python types around."""

import re
from typing import Final

_KEY: Final = re.compile(r'^Parser key "(?P<key>[\w.]+)": (?P<fault>.*)$')
_CALLABLE: Final = "expects a function or a callable class: "
_CLASS_PATH: Final = re.compile(r"class_path(?:=|': )'(?P<path>[\w.]+)'")
_ECHO: Final = re.compile(r"\.? (?:Got value: Namespace\(|Given value type: ).*$")
_VALUE: Final = re.compile(r"(?:Got|Given) value: (?P<value>[^{(\[]*)$")
_TYPE: Final = re.compile(r"Expected an? <class '(?P<name>[\w.]+)'>")
_WORDS: Final = re.compile(r"Expected a typing\.Literal\[(?P<words>[^\]]*)\](?P<others> - )?")
_AMBIGUOUS: Final = re.compile(r"Multiple subclasses with name .*?(?=\. (?:Got|Given) value|$)")
_LOSS: Final = re.compile(
    r"losses\.base\.WeightedLoss\]\] Errors: (?:- Not a valid subclass of Loss .*?\(implicit class_path\) )?"
    r"- (?P<fault>.*?)(?: - Expected a <class '(?:list|NoneType)'>| Given value type: )"
)
_LOSS_PROBLEM: Final = re.compile(
    r"^Problem with given class_path '(?P<path>[\w.]+)': (?:Parser key \"(?P<key>[\w.]+)\": )?(?P<fault>.*)$"
)
_NO_PATH: Final = re.compile(r"Expected a dot import path string: (?P<value>\S+)")


def plain_message(message: str) -> str:
    """Shorten what the parser says of an option that names a class, a word or a number.

    A message of another form comes back on one line and otherwise as it is.

    Examples:
        >>> plain_message('Parser key "model.optimizer": Type Callable[[Iterable], Optimizer] expects a function '
        ... "or a callable class: Option 'momentm' is not accepted. Got value: Namespace(class_path='torch.optim.SGD')")
        "model.optimizer: torch.optim.SGD: Option 'momentm' is not accepted"
        >>> plain_message('Parser key "trainer.max_epochs": Expected a <class \\'int\\'>. Got value: many')
        "trainer.max_epochs: expected an int, not 'many'"
    """
    line = " ".join(message.split())
    if loss := _LOSS.search(line):
        return f"model.losses: {_loss_fault(loss['fault'])}"
    match = _KEY.match(line)
    return f"{match['key']}: {_plain_fault(match['fault'])}" if match else line


def _plain_fault(fault: str) -> str:
    if ambiguous := _AMBIGUOUS.search(fault):
        return ambiguous[0]
    value = _VALUE.search(fault)
    if _CALLABLE in fault:
        inner = fault.partition(_CALLABLE)[2]
        path = _CLASS_PATH.search(inner)
        inner = plain_message(_ECHO.sub("", inner, count=1) if "Parser key" not in inner else _innermost(inner))
        return f"{path['path']}: {inner}" if path else inner
    if words := _WORDS.search(fault):
        wrong = _NO_PATH.search(fault) or value
        given = f"{wrong['value']!r}" if wrong else "this"
        return f"{given} is none of {words['words']}" + (", nor a class path" if words["others"] else "")
    if type_ := _TYPE.search(fault):
        article = "an" if type_["name"][0] in "aeiou" else "a"
        return f"expected {article} {type_['name']}" + (f", not {value['value']!r}" if value else "")
    if no_path := _NO_PATH.search(fault):
        return f"{no_path['value']!r} is no class path"
    return fault


def _loss_fault(fault: str) -> str:
    problem = _LOSS_PROBLEM.match(fault)
    if not problem:
        return _plain_fault(fault)
    parts = (problem["path"], problem["key"], _plain_fault(problem["fault"]))
    return ": ".join(part for part in parts if part)


def _innermost(fault: str) -> str:
    """The fault of an argument within a class's arguments, without the echo of the whole class."""
    return re.sub(r"\. Got value: Namespace\(.*$| Given value type: <class '(?:dict|jsonargparse\S*)'>.*$", "", fault)
