"""What people and agents may ask for by name: one tool a file, in folders by noun."""
