#pragma once

#include <cstddef>
#include <string>

#include "cli/top/activity.h"

namespace modelmill {

/// How much room a table has. Zero: any amount.
struct TextRoom {
  size_t columns = 0;
  size_t lines = 0;
};

/// The activity for people: a line about the server and a table of its versions. Where there is not room for all, the
/// busiest are shown, and how many are not.
std::string activity_text(const ServerActivity& activity, TextRoom room);

/// The activity for programs, as one line of JSON.
std::string activity_json(const ServerActivity& activity);

}  // namespace modelmill
