"""A comparison for a route's shadow: texts agree when at most a fifth of them differs.

    modelmill serve old.py new.py similar_text.py
    modelmill route set reader '{"split": {"old": 100}, "shadow": [
        {"target": "new", "compare": {"text": {"kind": "function", "model": "similar_text"}}}]}'
"""

import difflib

import modelmill


@modelmill.comparison(limit=0.2)
def similar_text(primary, shadow):
    worst, why = 0.0, ""
    for name, texts in primary.items():
        if texts.dtype != object:
            continue
        for old, new in zip(texts.ravel(), shadow[name].ravel()):
            differs = 1 - difflib.SequenceMatcher(None, old.decode(), new.decode()).ratio()
            if differs > worst:
                worst, why = differs, f"{old.decode()[:80]!r} became {new.decode()[:80]!r}"
    return worst, why
