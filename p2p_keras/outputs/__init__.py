"""What becomes of profiles: tables of many galaxies written piece by piece, AutoProf's files, what is done already.

The doors are `p2p_keras.profile_files` (profiles to and from files) and `p2p_keras.outputs.summary` (a row a galaxy).
"""
