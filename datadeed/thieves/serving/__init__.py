"""What a thief does at his server: to the images that come in, to the answers that go out."""
