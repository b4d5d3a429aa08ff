#include "experiment/experiment_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "base/log.h"
#include "state/durable_file.h"
#include "state/entry_name.h"

namespace modelmill {
namespace {

constexpr std::string_view kJournalEnding = "journal", kUsersEnding = "users", kOutcomesEnding = "outcomes",
                           kDraftEnding = "draft";

std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t dot = 0; dot != std::string_view::npos; text.remove_prefix(dot + 1)) {
    dot = text.find('.');
    pieces.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) break;
  }
  return pieces;
}

std::optional<uint64_t> number_in(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A file of an experiment: ENTRY.NUMBER.journal, with .draft where its writer died while it wrote it anew, or
/// ENTRY.NUMBER.REPLICA.SEQUENCE.users or .outcomes.
struct Found {
  std::string file, replica, ending;
  uint64_t number = 0;
};

Result<std::vector<Found>> files_in(const std::string& folder, const std::string& entry) {
  std::vector<Found> all;
  std::error_code ended;
  for (std::filesystem::directory_iterator it(folder, ended), end; !ended && it != end; it.increment(ended)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(entry + ".")) continue;
    const auto pieces = pieces_of(std::string_view(name).substr(entry.size() + 1));
    const auto number = number_in(pieces[0]);
    const std::string_view ending = pieces.back();
    const bool is_draft = pieces.size() == 3 && pieces[1] == kJournalEnding && ending == kDraftEnding;
    const bool is_journal = is_draft || (pieces.size() == 2 && ending == kJournalEnding);
    const bool is_part =
        pieces.size() == 4 && number_in(pieces[2]) && (ending == kUsersEnding || ending == kOutcomesEnding);
    if (!number || (!is_journal && !is_part)) continue;
    all.push_back({it->path().string(), is_part ? std::string(pieces[1]) : "",
                   std::string(is_journal ? kJournalEnding : ending), *number});
  }
  if (ended && ended != std::errc::no_such_file_or_directory)
    return internal("can't list '" + folder + "': " + ended.message());
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.file < b.file; });
  return all;
}

void remove_or_tell(const std::string& folder, const std::string& entry,
                    const std::function<bool(const Found&)>& is_meant) {
  const auto all = files_in(folder, entry);
  if (!all.ok()) return Log::warning("files of an experiment stay", {{"reason", all.status().message()}});
  for (const Found& found : *all) {
    if (!is_meant(found)) continue;
    if (const Status status = remove_file(found.file); !status.ok())
      Log::warning("a file of an experiment stays", {{"reason", status.message()}});
  }
}

}  // namespace

Result<ExperimentFiles> ExperimentFiles::of(const std::string& folder, const std::string& name, uint64_t number) {
  MM_ASSIGN_OR_RETURN(const std::string entry, entry_name(name));
  return ExperimentFiles(folder, entry, number);
}

std::string ExperimentFiles::part(const std::string& replica, uint64_t sequence, Kind kind) const {
  return stem(number_) + replica + "." + std::to_string(sequence) + "." +
         std::string(kind == Kind::kUsers ? kUsersEnding : kOutcomesEnding);
}

Result<std::vector<ExperimentFiles::Part>> ExperimentFiles::parts() const {
  MM_ASSIGN_OR_RETURN(const std::vector<Found> all, files_in(folder_, entry_));
  std::vector<Part> parts;
  for (const Found& found : all)
    if (found.number == number_ && found.ending != kJournalEnding)
      parts.push_back({found.file, found.replica, found.ending == kUsersEnding ? Kind::kUsers : Kind::kOutcomes});
  return parts;
}

void ExperimentFiles::remove() const {
  remove_or_tell(folder_, entry_, [&](const Found& found) { return found.number <= number_; });
}

void ExperimentFiles::remove_parts(const std::string& replica) const {
  remove_or_tell(folder_, entry_, [&](const Found& found) {
    return found.number == number_ && found.ending != kJournalEnding && found.replica == replica;
  });
}

}  // namespace modelmill
