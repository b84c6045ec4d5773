"""Rules: policy as readable sentences over facts, with three-valued logic.

Import what you need from the modules: `model` (Rule, RuleSet, load_rules, evaluate), `sweep` (a whole
inventory), `vocabulary` and `operators` (the words), `authoring` (checking a page; needs pydantic).
"""
