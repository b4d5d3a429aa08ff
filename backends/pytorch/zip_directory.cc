#include "zip_directory.h"

#include <algorithm>

namespace modelmill::pytorch {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kEntryHeader = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kEnd64Locator = 0x07064b50;
constexpr uint64_t kLocalHeaderSize = 30, kEntryHeaderSize = 46, kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56;
constexpr uint64_t kMostComment = 65535, kMostDirectory = uint64_t{256} << 20;
constexpr uint32_t kSee64 = 0xffffffff;

/// A little-endian number of `size` bytes at `at`; the text reaches so far.
uint64_t number(std::string_view text, uint64_t at, int size) {
  uint64_t out = 0;
  for (int i = size; i-- > 0;) out = out << 8 | static_cast<unsigned char>(text[at + static_cast<uint64_t>(i)]);
  return out;
}
uint32_t number32(std::string_view text, uint64_t at) { return static_cast<uint32_t>(number(text, at, 4)); }

/// Reads pieces of a file; nullopt for what is not wholly in it.
class Pieces {
 public:
  explicit Pieces(const std::string& file) : in_(file, std::ios::binary | std::ios::ate) {
    if (in_) size_ = static_cast<uint64_t>(std::max<std::streamoff>(0, in_.tellg()));
  }
  uint64_t size() const { return size_; }
  std::optional<std::string> read(uint64_t at, uint64_t size) {
    if (at > size_ || size > size_ - at) return std::nullopt;
    std::string out(size, '\0');
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(at));
    if (size > 0 && !in_.read(out.data(), static_cast<std::streamsize>(size))) return std::nullopt;
    return out;
  }

 private:
  std::ifstream in_;
  uint64_t size_ = 0;
};

struct Place {
  uint64_t at = 0, size = 0;
};

/// The end record's, which may refer to the 64-bit one before it.
std::optional<Place> find_directory(Pieces& pieces) {
  const uint64_t tail_size = std::min(pieces.size(), kEndSize + kMostComment);
  const uint64_t tail_at = pieces.size() - tail_size;
  const auto tail = pieces.read(tail_at, tail_size);
  if (!tail || tail_size < kEndSize) return std::nullopt;
  uint64_t end = tail_size - kEndSize + 1;
  do {
    if (end == 0) return std::nullopt;
    --end;
  } while (number32(*tail, end) != kEnd);
  Place out{number32(*tail, end + 16), number32(*tail, end + 12)};
  if (out.at != kSee64 && out.size != kSee64) return out;
  const uint64_t end_at = tail_at + end;
  if (end_at < kLocatorSize) return std::nullopt;
  const auto locator = pieces.read(end_at - kLocatorSize, kLocatorSize);
  if (!locator || number32(*locator, 0) != kEnd64Locator) return std::nullopt;
  const auto end64 = pieces.read(number(*locator, 8, 8), kEnd64Size);
  if (!end64 || number32(*end64, 0) != kEnd64) return std::nullopt;
  return Place{number(*end64, 48, 8), number(*end64, 40, 8)};
}

/// Sizes of 64 bits stand in an extra field, in this order, where the short ones are all ones.
void read_extra(std::string_view extra, uint32_t size, uint32_t packed, uint32_t header, ZipDirectory::Entry& out) {
  while (extra.size() >= 4) {
    const uint64_t length = number(extra, 2, 2);
    if (length > extra.size() - 4) return;
    std::string_view field = extra.substr(4, length);
    if (number(extra, 0, 2) == 1) {
      const auto take = [&](uint32_t brief, uint64_t* to) {
        if (brief != kSee64 || field.size() < 8) return;
        if (to != nullptr) *to = number(field, 0, 8);
        field.remove_prefix(8);
      };
      take(size, &out.size);
      take(packed, nullptr);
      take(header, &out.header);
      return;
    }
    extra.remove_prefix(4 + length);
  }
}

}  // namespace

std::optional<ZipDirectory> ZipDirectory::read(const std::string& file) {
  Pieces pieces(file);
  const auto place = find_directory(pieces);
  if (!place || place->size > kMostDirectory) return std::nullopt;
  const auto bytes = pieces.read(place->at, place->size);
  if (!bytes) return std::nullopt;
  ZipDirectory out;
  out.file_ = file;
  std::string_view rest = *bytes;
  while (!rest.empty()) {
    if (rest.size() < kEntryHeaderSize || number32(rest, 0) != kEntryHeader) return std::nullopt;
    const uint64_t name = number(rest, 28, 2), extra = number(rest, 30, 2), comment = number(rest, 32, 2);
    if (rest.size() - kEntryHeaderSize < name + extra + comment) return std::nullopt;
    Entry entry;
    entry.name = rest.substr(kEntryHeaderSize, name);
    entry.stored = number(rest, 10, 2) == 0;
    entry.size = number32(rest, 24);
    entry.header = number32(rest, 42);
    read_extra(rest.substr(kEntryHeaderSize + name, extra), number32(rest, 24), number32(rest, 20), number32(rest, 42),
               entry);
    out.entries_.push_back(std::move(entry));
    rest.remove_prefix(kEntryHeaderSize + name + extra + comment);
  }
  return out;
}

std::optional<std::string> ZipDirectory::content(const Entry& entry, uint64_t most) const {
  if (!entry.stored || entry.size > most) return std::nullopt;
  Pieces pieces(file_);
  const auto header = pieces.read(entry.header, kLocalHeaderSize);
  if (!header || number32(*header, 0) != kLocalHeader) return std::nullopt;
  return pieces.read(entry.header + kLocalHeaderSize + number(*header, 26, 2) + number(*header, 28, 2), entry.size);
}

}  // namespace modelmill::pytorch
