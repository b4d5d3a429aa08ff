#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/embedded_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 64;

/// The name becomes part of a library's, a class's and a file's.
Status check_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_'; };
  if (!name.empty() && name.size() <= kLongestName && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
      std::all_of(name.begin(), name.end(), fits))
    return ok_status();
  return invalid_argument("'" + name +
                          "' can't be a backend's name: lower-case letters, digits and '_', a letter first, at most " +
                          std::to_string(kLongestName));
}

/// "TreeWalker" of "tree_walker".
std::string class_name(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return out;
}

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

Status write_file(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return internal("can't make folder '" + path.parent_path().string() + "': " + error.message());
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  return out ? ok_status() : internal("can't write '" + path.string() + "'");
}

Status write_backend(const std::string& name, const fs::path& folder) {
  for (const EmbeddedFile& file : embedded_files()) {
    const auto filled = [&](std::string_view text) {
      return replaced(replaced(std::string(text), "@NAME@", name), "@CLASS@", class_name(name));
    };
    const fs::path path = folder / filled(file.name);
    MM_RETURN_IF_ERROR(write_file(path, filled(file.text)));
  }
  return ok_status();
}

}  // namespace

ExitCode run(const NewCommand& command) {
  if (const Status status = check_name(command.name); !status.ok()) return fail("new", status, ExitCode::kUsage);
  const fs::path folder = command.folder.empty() ? command.name : command.folder;
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error))
    return fail("new",
                Status(Code::kAlreadyExists,
                       "'" + folder.string() + "' is there already and stays as it is; name another one with --folder"),
                ExitCode::kFailure);
  if (const Status status = write_backend(command.name, folder); !status.ok())
    return fail("new", status, ExitCode::kFailure);
  std::printf(
      "%s\n  %s.cc is the backend, models/example a model of it; README.md says the rest.\n  sh %s/test.sh builds "
      "it, serves it and looks at an answer.\n",
      folder.c_str(), command.name.c_str(), folder.c_str());
  return ExitCode::kOk;
}

}  // namespace modelmill
