#include "repository/archive_name.h"

#include <array>
#include <string_view>
#include <utility>

namespace modelmill {
namespace {

constexpr std::string_view kModelArchive = ".mar";
constexpr std::array<std::string_view, 5> kArchiveEndings = {kModelArchive, ".zip", ".tar.gz", ".tgz", ".tar"};

std::string_view ending_of(std::string_view filename) {
  for (const std::string_view ending : kArchiveEndings)
    if (filename.size() > ending.size() && filename.ends_with(ending)) return ending;
  return {};
}

}  // namespace

bool is_archive_name(const std::string& filename) { return !ending_of(filename).empty(); }

bool is_model_archive_name(const std::string& filename) { return ending_of(filename) == kModelArchive; }

std::string archive_stem(const std::string& filename) {
  return filename.substr(0, filename.size() - ending_of(filename).size());
}

void name_in_archive(FoundModel& model, const std::string& folder, const std::string& archive) {
  const auto named = [&](std::string text) {
    for (size_t at = 0; !folder.empty() && (at = text.find(folder, at)) != std::string::npos; at += archive.size())
      text.replace(at, folder.size(), archive);
    return text;
  };
  model.problem = ok_status();
  for (ConfigProblem& problem : std::exchange(model.problems, {}))
    model.refuse({problem.code, named(problem.place), named(problem.message)});
}

}  // namespace modelmill
