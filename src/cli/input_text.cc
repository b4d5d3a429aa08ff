#include "cli/input_text.h"

#include <fstream>
#include <iostream>
#include <iterator>

namespace modelmill {

Result<std::string> input_text(const std::string& source, const std::string& remedy) {
  if (source == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(source, std::ios::binary);
  if (!file) return not_found("can't read '" + source + "'; " + remedy);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace modelmill
