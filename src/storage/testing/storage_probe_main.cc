// Opens a URL as the server does, and prints what then lies here: one line of SHA-256, size and path for each file, one
// of "folder" and path for each folder. For tests.
//
//     storage_probe CACHE URL [--fetch PATH]... [--bytes N] [--chunk N] [--threads N] [--tries N] [--refresh-again]
//                   [--stay]
//
// A PATH is below the local path; "" means all. --stay keeps the tree in use until standard input ends.

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/hex_text.h"
#include "storage/checksum.h"
#include "storage/remote_source.h"
#include "storage/text_file.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

struct Wish {
  std::string url;
  RemoteOptions options;
  std::vector<std::string> fetches;
  bool refresh_again = false;
  bool stay = false;
};

template <typename Number>
bool read_number(const char* text, Number& out) {
  const std::string_view whole(text);
  return std::from_chars(whole.data(), whole.data() + whole.size(), out).ptr == whole.data() + whole.size();
}

bool read_wish(int count, char** words, Wish& wish) {
  if (count < 3) return false;
  wish.options.cache_directory = words[1];
  wish.url = words[2];
  wish.options.allowed_prefixes = {wish.url};
  for (int i = 3; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--refresh-again" || word == "--stay") {
      (word == "--stay" ? wish.stay : wish.refresh_again) = true;
      continue;
    }
    if (++i == count) return false;
    bool understood = true;
    if (word == "--fetch")
      wish.fetches.emplace_back(words[i]);
    else if (word == "--allow")
      wish.options.allowed_prefixes = {words[i]};
    else if (word == "--bytes")
      understood = read_number(words[i], wish.options.cache_bytes);
    else if (word == "--chunk")
      understood = read_number(words[i], wish.options.chunk_bytes);
    else if (word == "--threads")
      understood = read_number(words[i], wish.options.parallelism);
    else if (word == "--tries")
      understood = read_number(words[i], wish.options.tries);
    else
      understood = false;
    if (!understood) return false;
  }
  return true;
}

void print_entry(const fs::path& path, const std::string& name) {
  if (fs::is_directory(path)) {
    std::printf("folder %s\n", name.c_str());
    return;
  }
  const std::string text = read_text_file(path.string()).value_or("");
  std::printf("%s %zu %s\n", checksum_hex(digest_of(ChecksumKind::kSha256, text)).c_str(), text.size(), name.c_str());
}

void print_tree(const std::string& root) {
  std::printf("local %s\n", root.c_str());
  const std::string base = fs::path(root).parent_path().string();
  if (!fs::exists(root)) return;
  std::vector<fs::path> paths{root};
  if (fs::is_directory(root))
    for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
  for (const fs::path& path : paths) print_entry(path, path.string().substr(base.size() + 1));
}

Status look(const Wish& wish) {
  MM_ASSIGN_OR_RETURN(const auto source, RemoteSource::open(wish.url, wish.options));
  const std::atomic<bool> never{false};
  MM_ASSIGN_OR_RETURN(const bool first, source->refresh(never));
  std::printf("refresh %s\n", first ? "changed" : "same");
  for (const std::string& path : wish.fetches)
    MM_RETURN_IF_ERROR(source->fetch(source->local_path() + (path.empty() ? "" : '/' + path), never));
  if (wish.refresh_again) {
    MM_ASSIGN_OR_RETURN(const bool second, source->refresh(never));
    std::printf("refresh %s\n", second ? "changed" : "same");
  }
  print_tree(source->local_path());
  std::fflush(stdout);
  for (std::string line; wish.stay && std::getline(std::cin, line);) {
  }
  return ok_status();
}

}  // namespace
}  // namespace modelmill

int main(int count, char** words) {
  modelmill::Wish wish;
  if (!modelmill::read_wish(count, words, wish)) {
    std::fputs("usage: storage_probe CACHE URL [OPTIONS]; see its source\n", stderr);
    return 2;
  }
  const modelmill::Status status = modelmill::look(wish);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}
