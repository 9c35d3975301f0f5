#!/bin/sh
# The whole recipe, from packs to weights, read from top to bottom: scripts/recipe.sh PACKS TEXTS WORK
#
# PACKS: folder of speech and noise packs (docs/data.md). TEXTS: folder of text packs. WORK: gets cache, runs, weights.
# Every line can be stopped and run again: it goes on where it was. On one processor core the ears take days to be as
# good as they can get; `scripts/recipe.sh PACKS TEXTS WORK 50` makes fifty steps of each part, to see that all works.
set -eu
packs=$1 texts=$2 work=$3 short=${4:+--until $4}
lexicon=$texts/lex_en/cmudict.tsv.gz letters=$work/weights/letters.zip
train() { part=$1 && shift && step-audio train "$part" "$@" $short; }

# requests said by synthesisers, all sound decoded once, words and their graph
[ -e "$work/packs/requests" ] || step-audio prepare --packs requests=3000 --out "$work/packs"
step-audio prepare --from "$packs" --from "$work/packs" --cache "$work/cache"
step-audio export words --texts "$texts" --speech "$packs" --weights "$work/weights"

# ears: a few clean speakers lead off the all-blank plateau, then everything
train ears --data "$work/cache" --out "$work/runs/ears-clean" --set "lexicon=$lexicon" --set "letters=$letters" \
    --set stage=clean --set steps=1300 --set rate=5e-4 --set warmup=500 --set final=1
train ears --data "$work/cache" --out "$work/runs/ears" --set "lexicon=$lexicon" --set "letters=$letters" \
    --start "$work/runs/ears-clean"

# orders come with slots but without words: these ears find them, and go on with them; better ears find more: twice
before=ears
for round in 1 2; do
    orders=$work/orders-$round.tsv
    [ -e "$orders" ] || step-audio export transcripts --data "$work/cache" --run "$work/runs/$before" --pack coffee \
        --out "$orders" --set "lexicon=$lexicon" --set "letters=$letters"
    train ears --data "$work/cache" --out "$work/runs/ears-$round" --set "lexicon=$lexicon" --set "letters=$letters" \
        --start "$work/runs/$before" --set "transcripts=$orders"
    before=ears-$round
done
step-audio export ears --data "$work/cache" --run "$work/runs/$before" --weights "$work/weights" \
    --set "lexicon=$lexicon" --set "letters=$letters" --set "transcripts=$orders"
step-audio export calibration --data "$work/cache" --weights "$work/weights"

# speaker: who speaks, gender, age band and language, by a network of its own
train speaker --data "$work/cache" --out "$work/runs/speaker"
step-audio export speaker --data "$work/cache" --run "$work/runs/speaker" --weights "$work/weights"

# mind: dialogues generated from the packs of scenarios
train mind --data "$texts" --out "$work/runs/mind"
step-audio export mind --data "$texts" --run "$work/runs/mind" --weights "$work/weights"

# the mind again, over what these ears make of orders, of requests they were not taught, and of read sentences
[ -e "$work/heard/requests" ] || step-audio prepare --packs requests=2200 --out "$work/heard"
step-audio prepare --from "$packs" --from "$work/heard" --cache "$work/heard-cache"
[ -e "$work/hearings" ] || step-audio export hearings --data "$work/heard-cache" --weights "$work/weights" \
    --out "$work/hearings" --most "${4:-2200}"
train join --data "$texts" --out "$work/runs/join" --start "$work/runs/mind" --set "hearings=$work/hearings" \
    --set sound=false
step-audio export mind --data "$texts" --run "$work/runs/join" --weights "$work/weights" --words-alone

# voice: alignment, F0 and energy are measured first
train voice --data "$work/cache" --out "$work/runs/voice" --set "lexicon=$lexicon"
step-audio export voice --data "$work/cache" --cache "$work/cache" --run "$work/runs/voice" --weights "$work/weights" \
    --set "lexicon=$lexicon"
train vocoder --data "$work/cache" --out "$work/runs/vocoder"
step-audio export vocoder --data "$work/cache" --run "$work/runs/vocoder" --weights "$work/weights"

step-audio doctor --weights "$work/weights"
