#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/testing/temp_folder.h"

namespace modelmill {

enum class ArchiveKind { kTar, kTarGz, kZip };

inline const char* kind_name(ArchiveKind kind) {
  return kind == ArchiveKind::kTar ? "Tar" : kind == ArchiveKind::kTarGz ? "TarGz" : "Zip";
}

/// An entry, honest or not. `type` is tar's: '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5'
/// folder, '6' pipe. Of links `content` is where they lead.
struct MadeEntry {
  std::string name;
  char type = '0';
  std::string content = {};
  unsigned mode = 0644;
};

namespace made_archive {

inline std::string octal(uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return std::string(text) + '\0';
}

inline std::string padded(std::string text, size_t size) {
  text.resize(size);
  return text;
}

inline std::string tar_entry(const MadeEntry& entry) {
  const bool is_link = entry.type == '1' || entry.type == '2';
  const std::string content = is_link ? std::string() : entry.content;
  std::string head = padded(entry.name, 100) + octal(entry.mode, 7) + octal(0, 7) + octal(0, 7) +
                     octal(content.size(), 11) + octal(1'700'000'000, 11) + std::string(8, ' ') + entry.type +
                     padded(is_link ? entry.content : "", 100) + std::string("ustar\0", 6) + "00";
  head = padded(head, 512);
  unsigned sum = 0;
  for (const char c : head) sum += static_cast<unsigned char>(c);
  head.replace(148, 8, octal(sum, 6) + ' ');
  return head + padded(content, (content.size() + 511) / 512 * 512);
}

inline std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// `format` as zlib's windowBits: -15 raw, 31 gzip.
inline std::string deflated(std::string_view text, int format) {
  z_stream stream{};
  ::deflateInit2(&stream, 6, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline std::string zip(const std::vector<MadeEntry>& entries) {
  std::string out, directory;
  for (const MadeEntry& entry : entries) {
    const auto* bytes = reinterpret_cast<const Bytef*>(entry.content.data());
    const std::string packed = deflated(entry.content, -15);
    const unsigned kind = entry.type == '2' ? 0120000 : entry.type == '5' ? 0040000 : 0100000;
    // Version, flags, method, time, date, checksum, sizes, and how long the name is.
    const std::string head = little(20, 2) + little(0, 2) + little(8, 2) + little(0, 2) + little(0x5821, 2) +
                             little(::crc32(0, bytes, static_cast<uInt>(entry.content.size())), 4) +
                             little(packed.size(), 4) + little(entry.content.size(), 4) + little(entry.name.size(), 2) +
                             little(0, 2);
    directory += "PK\1\2" + little(0x031e, 2) + head + little(0, 2) + little(0, 2) + little(0, 2) +
                 little((kind | entry.mode) << 16, 4) + little(out.size(), 4) + entry.name;
    out += "PK\3\4" + head + entry.name + packed;
  }
  return out + directory + "PK\5\6" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
         little(directory.size(), 4) + little(out.size(), 4) + little(0, 2);
}

}  // namespace made_archive

inline std::string archive_text(ArchiveKind kind, const std::vector<MadeEntry>& entries) {
  if (kind == ArchiveKind::kZip) return made_archive::zip(entries);
  std::string tar;
  for (const MadeEntry& entry : entries) tar += made_archive::tar_entry(entry);
  tar += std::string(1024, '\0');
  return kind == ArchiveKind::kTar ? tar : made_archive::deflated(tar, 31);
}

/// Writes an archive into the folder; returns its path.
inline std::string make_archive(const TempFolder& folder, ArchiveKind kind, const std::vector<MadeEntry>& entries,
                                const std::string& name = "made") {
  return folder.write(name, archive_text(kind, entries));
}

}  // namespace modelmill
