"""What Lantern's discovery costs in time, calls, DynamoDB units and money: `python -m scripts.bench`."""
