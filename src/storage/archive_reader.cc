#include "storage/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <memory>
#include <string>

#include "storage/archive_path.h"
#include "storage/archive_stream.h"
#include "storage/object_key.h"

namespace modelmill {
namespace {

constexpr const char* kPackAnew = "; pack it anew, or unpack it yourself and serve the folder";
constexpr const char* kPackWithoutLinks = "; pack it with the files themselves (tar --dereference --hard-dereference)";
constexpr const char* kServeTheFolder = "; if that is right, unpack it yourself and serve the folder";

struct FreeReader {
  void operator()(struct archive* reader) const { ::archive_read_free(reader); }
};

/// Names are UTF-8, whatever the process's locale is; libarchive drops those that the thread's locale can't say.
class Utf8Names {
 public:
  Utf8Names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Names() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t locale_;
  locale_t before_ = nullptr;
};

const char* kind_of(struct archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr || ::archive_entry_hardlink_w(entry) != nullptr) return "a hard link";
  switch (::archive_entry_filetype(entry)) {
    case AE_IFLNK: return "a symbolic link";
    case AE_IFSOCK: return "a socket";
    case AE_IFCHR:
    case AE_IFBLK: return "a device";
    case AE_IFIFO: return "a pipe";
    default: return nullptr;
  }
}

std::string name_of(struct archive_entry* entry) {
  const char* name = ::archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = ::archive_entry_pathname(entry);
  return name == nullptr ? std::string() : std::string(name);
}

class Reader {
 public:
  Reader(std::string archive, const ArchiveLimits& limits, ArchiveSink& sink, const std::atomic<bool>& cancelled)
      : archive_(std::move(archive)), limits_(limits), sink_(sink), cancelled_(cancelled) {}

  Result<ArchiveContent> run() {
    const Utf8Names names;
    auto stream = ArchiveStream::open(archive_, cancelled_);
    if (!stream.ok()) return stream.status().with_context(what());
    stream_ = *std::move(stream);
    most_ = limits_.bytes_of(stream_->file_size());
    // The heads of its entries come on top of what they hold.
    stream_->allow(most_ + most_ / 2 + (uint64_t{64} << 20));
    reader_.reset(::archive_read_new());
    if (!reader_) return resource_exhausted(what() + ": no memory");
    if (const Status status = stream_->attach(reader_.get()); !status.ok()) return refused("", status, kPackAnew);
    MM_RETURN_IF_ERROR(read_entries());
    if (const Status end = stream_->finish(); !end.ok()) return refused("", end, kPackAnew);
    return ArchiveContent{shape_.files(), bytes_};
  }

 private:
  std::string what() const { return "archive '" + archive_ + "'"; }

  Status refused(const std::string& entry, const Status& why, const char* remedy) const {
    const std::string where = entry.empty() ? std::string() : ", entry '" + shown_key(entry) + "'";
    if (why.code() == Code::kCancelled) return cancelled(what() + ": " + why.message());
    return {why.code(), what() + where + ": " + why.message() + remedy};
  }

  /// Of what libarchive, or the stream below it, found.
  Status damaged(const std::string& entry) const {
    if (!stream_->status().ok()) return refused(entry, stream_->status(), kPackAnew);
    const char* why = ::archive_error_string(reader_.get());
    return refused(entry, Status(Code::kDataLoss, std::string("it is damaged: ") + (why ? why : "unreadable")),
                   kPackAnew);
  }

  Status read_entries() {
    for (size_t entries = 0;; ++entries) {
      struct archive_entry* entry = nullptr;
      const int got = ::archive_read_next_header(reader_.get(), &entry);
      if (got == ARCHIVE_EOF) return check_end(entries);
      if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return damaged("");
      if (cancelled_) return refused("", cancelled("reading it was cancelled"), "");
      if (entries == limits_.entries)
        return refused("", resource_exhausted("it has more than " + std::to_string(entries) + " entries"),
                       kServeTheFolder);
      MM_RETURN_IF_ERROR(take(entry));
    }
  }

  Status check_end(size_t entries) const {
    const bool is_tar = (::archive_format(reader_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    if (is_tar)
      if (const Status end = stream_->check_end_of_tar(); !end.ok()) return refused("", end, kPackAnew);
    if (entries == 0) return refused("", invalid_argument("it is empty, or no zip, tar or tar.gz"), kPackAnew);
    return ok_status();
  }

  Status take(struct archive_entry* entry) {
    const std::string name = name_of(entry);
    if (const char* kind = kind_of(entry); kind != nullptr)
      return refused(name, invalid_argument(std::string("it is ") + kind + ", and only files and folders are unpacked"),
                     kPackWithoutLinks);
    MM_RETURN_IF_ERROR(check_packing(entry, name));
    auto path = archive_path(name);
    if (!path.ok()) return refused(name, path.status(), kPackAnew);
    const bool is_folder = ::archive_entry_filetype(entry) == AE_IFDIR || name.ends_with('/');
    const Status fits = is_folder ? shape_.add_folder(*path) : shape_.add_file(*path);
    if (!fits.ok()) return refused(name, fits, kPackAnew);
    if (is_folder) return path->empty() ? ok_status() : sink_.folder(*path);
    if (path->empty()) return refused(name, invalid_argument("it has no name"), kPackAnew);
    const int64_t size = ::archive_entry_size_is_set(entry) != 0 ? ::archive_entry_size(entry) : 0;
    MM_RETURN_IF_ERROR(check_size(name, static_cast<uint64_t>(std::max<int64_t>(size, 0))));
    MM_RETURN_IF_ERROR(sink_.begin_file(*path, (::archive_entry_perm(entry) & 0111) != 0));
    return take_content(name, static_cast<uint64_t>(std::max<int64_t>(size, 0)));
  }

  /// Of the many ways to pack a zip's entry only the usual ones are read: the others bring much code, and can ask for
  /// gigabytes of memory.
  Status check_packing(struct archive_entry* entry, const std::string& name) const {
    if (::archive_entry_is_encrypted(entry) != 0)
      return refused(name, invalid_argument("it is encrypted"), "; pack it without a password");
    if ((::archive_format(reader_.get()) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_ZIP) return ok_status();
    const std::string format = ::archive_format_name(reader_.get());  // "ZIP 2.0 (deflation)"
    if (format.ends_with("(deflation)") || format.ends_with("(uncompressed)")) return ok_status();
    const size_t at = std::min(format.find('('), format.size());
    return refused(name, invalid_argument("it is packed by a method that is not read " + format.substr(at)),
                   "; pack it with deflate, as zip does by itself");
  }

  Status check_size(const std::string& name, uint64_t size) const {
    if (size <= most_ && bytes_ <= most_ - size) return ok_status();
    return refused(
        name,
        resource_exhausted("with it more than " + std::to_string(most_) +
                           " bytes would be unpacked from an archive of " + std::to_string(stream_->file_size())),
        kServeTheFolder);
  }

  Status take_content(const std::string& name, uint64_t size) {
    const void* piece = nullptr;
    size_t length = 0;
    int64_t offset = 0;
    uint64_t end = 0;
    while (true) {
      const int got = ::archive_read_data_block(reader_.get(), &piece, &length, &offset);
      if (got == ARCHIVE_EOF) break;
      if (got != ARCHIVE_OK || offset < 0 || static_cast<uint64_t>(offset) < end) return damaged(name);
      if (cancelled_) return refused("", cancelled("reading it was cancelled"), "");
      if (length == 0) continue;
      end = static_cast<uint64_t>(offset) + length;
      MM_RETURN_IF_ERROR(check_size(name, end));
      MM_RETURN_IF_ERROR(sink_.write(static_cast<uint64_t>(offset), {static_cast<const char*>(piece), length}));
    }
    size = std::max(size, end);
    MM_RETURN_IF_ERROR(check_size(name, size));
    bytes_ += size;
    return sink_.end_file(size);
  }

  const std::string archive_;
  const ArchiveLimits& limits_;
  ArchiveSink& sink_;
  const std::atomic<bool>& cancelled_;
  std::unique_ptr<ArchiveStream> stream_;  // outlives the reader
  std::unique_ptr<struct archive, FreeReader> reader_;
  ArchiveShape shape_;
  uint64_t most_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

uint64_t ArchiveLimits::bytes_of(uint64_t archive_size) const {
  const uint64_t by_ratio =
      archive_size > UINT64_MAX / std::max<uint64_t>(ratio, 1) ? UINT64_MAX : archive_size * ratio;
  return std::min(bytes, std::max(free_bytes, by_ratio));
}

Result<ArchiveContent> read_archive(const std::string& archive, const ArchiveLimits& limits, ArchiveSink& sink,
                                    const std::atomic<bool>& cancelled) {
  return Reader(archive, limits, sink, cancelled).run();
}

}  // namespace modelmill
