"""What is written of measured galaxies beside their profiles: summaries, drawings, model and mask images, colours."""
