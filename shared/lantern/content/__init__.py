"""Knowledge as data: catalog, rules, scope tables; compiled at build time."""
