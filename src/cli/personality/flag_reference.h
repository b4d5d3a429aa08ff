#pragma once

#include <string>
#include <vector>

#include "cli/personality/personality.h"

namespace modelmill::personality {

/// The table of a personality's flags, in Markdown: what docs/flags-*.md has.
std::string flags_markdown(const std::vector<FlagText>& flags);

/// The same of settings that have no dashes.
std::string settings_markdown(const std::vector<FlagText>& settings);

/// The flags as lines of a usage text.
std::string flags_usage(const std::vector<FlagText>& flags);

/// The names of flags with their dashes, for suggestions.
std::vector<std::string> dashed_names(const std::vector<FlagText>& flags);

/// What the log says of a flag that is ignored.
Notice ignored_notice(std::string_view personality, const FlagText& flag);

template <typename Flag>
std::vector<FlagText> texts_of(const std::vector<Flag>& flags) {
  return {flags.begin(), flags.end()};
}

}  // namespace modelmill::personality
