#include "cli/archive_previews.h"

#include <atomic>
#include <filesystem>
#include <system_error>
#include <utility>

#include "repository/archive_name.h"
#include "storage/archive_reader.h"
#include "storage/folder_sink.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSmallBytes = uint64_t{1} << 20;

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

LocalCopy ArchivePreviews::open(const std::string& archive) {
  const auto known = previews_.find(archive);
  if (known != previews_.end()) return known->second.opened;
  return previews_.emplace(archive, make(archive)).first->second.opened;
}

ArchivePreviews::Preview ArchivePreviews::make(const std::string& archive) {
  const auto failed = [](Status why) { return Preview{{{}, nullptr, std::move(why)}, {}}; };
  if (!root_) {
    auto root = OwnFolder::make();
    if (!root.ok()) return failed(root.status());
    root_ = *std::move(root);
  }
  const std::string folder = root_->path() + '/' + std::to_string(previews_.size()) + '/' +
                             archive_stem(fs::path(archive).filename().string());
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return failed(unavailable("folder '" + folder + "' can't be made: " + error.message()));
  FolderSink sink(folder, kSmallBytes);
  const std::atomic<bool> never{false};
  const auto content = read_archive(archive, {}, sink, never);
  if (!content.ok()) return failed(content.status());
  return {{folder, root_, {}},
          archive + ": " + std::to_string(content->files) + " files, " + std::to_string(content->bytes) +
              " bytes when unpacked\n"};
}

std::string ArchivePreviews::named(std::string text) const {
  for (const auto& [archive, preview] : previews_)
    if (!preview.opened.path.empty()) text = replaced(std::move(text), preview.opened.path, archive);
  return text;
}

std::string ArchivePreviews::summary() const {
  std::string text;
  for (const auto& [archive, preview] : previews_) text += preview.summary;
  return text;
}

}  // namespace modelmill
