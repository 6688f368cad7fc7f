"""What a person types: formulas, values, and the worked examples made of them."""
