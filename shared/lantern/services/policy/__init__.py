"""Rules as a tenant has them: settings of shipped rules, own rules, previews of changes."""
