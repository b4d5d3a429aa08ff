#!/usr/bin/env python3
"""Says which sources may be compiled together as one: prints a line `GROUP FILE` for each of the files given.

    group_sources.py MOST FILE...

Two sources share a group, of MOST at most, if nothing that one of them keeps to itself (names in its anonymous
namespaces, aliases, macros, tests) is a name that the other declares or uses unqualified. So a source means the same in a
group as alone: neither does it clash with another, nor does it take another's name for its own. Files keep their order,
and a file goes into the first group that will have it.
"""

import pathlib
import re
import sys

# Comments, literals (their text is no name), and the names, brackets and signs that matter here.
TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<raw>\w*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"|(?<![\w])'(?:\\.|[^'\\\n])+'"""
    r"""|(?P<define>^[ \t]*\#[ \t]*define[ \t]+\w+)|^[ \t]*\#(?:\\\n|[^\n])*"""
    r"""|(?P<token>[A-Za-z_]\w*|::|->|[^\s\w])|\d[\w.']*""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
KEYWORDS = set(
    "alignas alignof auto bool break case catch char class concept const consteval constexpr constinit continue "
    "co_await co_return co_yield decltype default delete do double else enum explicit extern false final float for "
    "friend goto if inline int long mutable namespace new noexcept nullptr operator override private protected public "
    "register requires return short signed sizeof static static_assert struct switch template this thread_local throw "
    "true try typedef typeid typename union unsigned using virtual void volatile while std".split()
)


def is_name(token):
    return (token[0].isalpha() or token[0] == "_") and token not in KEYWORDS


class Source:
    """A source's own names, each with what it is (an alias its text, all else is this source's alone), and the names that
    it uses without saying whose they are."""

    def __init__(self, path):
        self.path = path
        self.own = {}
        tokens = []
        for match in TOKENS.finditer(pathlib.Path(path).read_text()):
            if match["define"]:
                self.own[match["define"].split()[-1]] = self
            elif match["token"]:
                tokens.append(match["token"])
        self.used = {
            token
            for before, token in zip([""] + tokens, tokens)
            if is_name(token) and before not in (".", "->", "::")
        }
        self.read_scope(tokens, 0, False)

    def read_scope(self, tokens, start, anonymous):
        """Reads the declarations of a namespace from its first token to the bracket that ends it."""
        at = statement = start
        while at < len(tokens) and tokens[at] != "}":
            if tokens[at] == ";":
                self.declare(tokens[statement:at], anonymous)
                at += 1
                statement = at
            elif tokens[at] == "{":
                words = tokens[statement:at]
                if "namespace" in words[:2] or words[:1] == ["extern"] and len(words) == 1:
                    at = self.read_scope(tokens, at + 1, anonymous or words[-1] == "namespace") + 1
                    statement = at
                    continue
                at = self.past(tokens, at)
                # A function ends with its body; a type, a variable or an initializer goes on to its semicolon.
                if at < len(tokens) and tokens[at] not in (";", ",", "{"):
                    self.declare(words, anonymous)
                    statement = at
            elif tokens[at] == "(":
                at = self.past(tokens, at)
            else:
                at += 1
        return at

    @staticmethod
    def past(tokens, at):
        """The place behind the bracket that closes the one at this place."""
        depth = 0
        while at < len(tokens):
            depth += (tokens[at] in "({") - (tokens[at] in ")}")
            at += 1
            if depth == 0:
                break
        return at

    def declare(self, words, anonymous):
        if words[:1] in (["TEST"], ["TEST_F"], ["TEST_P"]):
            self.own["_".join(words[2:5:2]) + "_Test"] = self
        elif words[:1] in (["using"], ["namespace"]):
            if words[1:2] != ["namespace"]:
                self.own[words[1] if "=" in words else words[-1]] = " ".join(word for word in words if word != "::")
        elif anonymous or "static" in words:
            for name in self.declared(words):
                self.own[name] = self

    @staticmethod
    def declared(words):
        while words[:1] == ["template"]:
            depth = 0
            for at, word in enumerate(words[1:], 1):
                depth += (word == "<") - (word == ">")
                if depth == 0:
                    break
            words = words[at + 1 :]
        for at, word in enumerate(words):
            if word in ("struct", "class", "enum", "union"):
                rest = [token for token in words[at + 1 :] if token != "class"]
                return [token for token in rest if is_name(token)][:1]
            if word in ("(", "=", "[", "{") and at > 0 and is_name(words[at - 1]):
                # `int first = 1, second = 2;`
                others = zip(words[at:], words[at + 1 :], words[at + 2 :])
                return [words[at - 1]] + [
                    name for comma, name, sign in others if comma == "," and is_name(name) and sign in ("(", "=", "[", "{")
                ]
        return [words[-1]] if words and is_name(words[-1]) else []

    def goes_with(self, other):
        return self.keeps_from(other) and other.keeps_from(self)

    def keeps_from(self, other):
        """Whether no name of this source is one of the other's, but for aliases that both have for the same."""
        return all(
            meaning == other.own.get(name) for name, meaning in self.own.items() if name in other.used or name in other.own
        )


def main():
    most, paths = int(sys.argv[1]), sys.argv[2:]
    groups = []
    for source in map(Source, paths):
        for group in groups:
            if len(group) < most and all(source.goes_with(other) for other in group):
                group.append(source)
                break
        else:
            groups.append([source])
    for number, group in enumerate(groups):
        for source in group:
            print(number, source.path)


if __name__ == "__main__":
    main()
