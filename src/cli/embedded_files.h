#pragma once

#include <string_view>
#include <vector>

namespace modelmill {

/// A file that the program carries in itself, so that `modelmill new` works wherever the program does.
struct EmbeddedFile {
  std::string_view name;  // relative to the folder that is made, with the placeholders of its text
  std::string_view text;
};

/// The files of a new backend: its sources from templates/backend, and the headers that they are built against.
const std::vector<EmbeddedFile>& embedded_files();

}  // namespace modelmill
