"""What a GPU is to be asked, in limited time: `./run_all.sh bench --gpu`. No number of a GPU stands here before."""
