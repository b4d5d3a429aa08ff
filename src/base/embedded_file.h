#pragma once

#include <string_view>

namespace modelmill {

/// A file that the program carries in itself.
struct EmbeddedFile {
  std::string_view name;  // relative to the folder where it belongs
  std::string_view text;
};

}  // namespace modelmill
