#pragma once

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace modelmill {

/// A small file's text; nullopt when it can't be read.
inline std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// As read_text_file, without white space at the end: a token's file.
inline std::optional<std::string> read_token_file(const std::string& path) {
  auto text = read_text_file(path);
  if (text) text->erase(text->find_last_not_of(" \t\r\n") + 1);
  return text;
}

}  // namespace modelmill
