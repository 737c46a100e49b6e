"""How an answer about one alert fits another: what it quotes is replaced, what does not fit left out."""
