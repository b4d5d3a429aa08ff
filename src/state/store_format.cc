#include "state/store_format.h"

#include <simdjson.h>

#include <cstdint>
#include <filesystem>
#include <system_error>

#include "state/durable_file.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargest = 4096;

std::string format_file(const std::string& folder) { return folder + "/format"; }

Result<int64_t> read_format(const std::string& folder) {
  const std::string file = format_file(folder);
  MM_ASSIGN_OR_RETURN(const std::string text, read_whole_file(file, kLargest));
  simdjson::dom::parser parser;
  int64_t format = 0;
  if (parser.parse(simdjson::padded_string(text))["format"].get(format) != simdjson::SUCCESS)
    return Status(Code::kDataLoss, "file '" + file +
                                       "' of the server's state does not name the store's format; if "
                                       "nothing in the store is needed, remove folder '" +
                                       folder + "'");
  return format;
}

Status write_format(const std::string& folder, int format) {
  return replace_file(format_file(folder), "{\"format\": " + std::to_string(format) + "}\n");
}

Status unreadable_format(const std::string& folder, int64_t format, const StoreFormats& formats) {
  return failed_precondition("the state's store has format " + std::to_string(format) + " (file '" +
                             format_file(folder) + "'), and this release reads format " + formats.readable() +
                             (format > formats.current ? ": a later release wrote it; use that release, or put back "
                                                         "the copy that it made ('" +
                                                             folder + ".format-*')"
                                                       : ": go through a release in between, which raises it"));
}

/// The copy appears under its name when it is whole.
Status copy_aside(const std::string& folder, int64_t format) {
  const fs::path copy = folder + ".format-" + std::to_string(format);
  const fs::path draft = copy.string() + ".part";
  std::error_code error;
  fs::remove_all(draft, error);
  if (!error) fs::copy(folder, draft, fs::copy_options::recursive, error);
  if (!error) fs::remove_all(copy, error);
  if (!error) fs::rename(draft, copy, error);
  if (!error) return ok_status();
  Status status = unavailable("the state's store '" + folder + "' can't be copied to '" + copy.string() +
                              "' before its format is raised: " + error.message());
  fs::remove_all(draft, error);
  return status;
}

}  // namespace

Status keep_format(const std::string& folder, const StoreFormats& formats) {
  std::error_code error;
  if (!fs::exists(format_file(folder), error) && !error) {
    if (!fs::exists(folder + "/entries", error)) return write_format(folder, formats.current);
    return {Code::kDataLoss, "file '" + format_file(folder) +
                                 "' of the server's state is gone, so the store's format "
                                 "is not known; if nothing in the store is needed, remove folder '" +
                                 folder + "'"};
  }
  MM_ASSIGN_OR_RETURN(const int64_t format, read_format(folder));
  if (format == formats.current) return ok_status();
  if (!formats.readers.contains(static_cast<int>(format))) return unreadable_format(folder, format, formats);
  MM_RETURN_IF_ERROR(copy_aside(folder, format));
  return write_format(folder, formats.current);
}

Status check_format(const std::string& folder, const StoreFormats& formats) {
  MM_ASSIGN_OR_RETURN(const int64_t format, read_format(folder));
  return format == formats.current ? ok_status() : unreadable_format(folder, format, formats);
}

}  // namespace modelmill
