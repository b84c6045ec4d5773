"""DynamoDB: keys, models, the tenant session and repositories."""
