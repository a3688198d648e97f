// The question of --unique: what are images worth that are seen again and again?
#pragma once

#include <lab/study.hpp>

elk::lab::Question question_of_unique();
void ask_unique(elk::lab::Study& study);
