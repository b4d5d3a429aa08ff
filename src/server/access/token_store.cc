#include "server/access/token_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

constexpr size_t kLargest = size_t{1} << 20;

Result<std::shared_ptr<const TokenTable>> load(const std::string& file) {
  MM_ASSIGN_OR_RETURN(const std::string text, read_token_file(file));
  Result<TokenTable> table = TokenTable::parse(text);
  if (!table.ok()) return table.status().with_context("token file '" + file + "'");
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0)
    Log::warning("every user of this machine can read the token file", {{"file", file}, {"remedy", "chmod 600"}});
  return std::make_shared<const TokenTable>(std::move(*table));
}

}  // namespace

Result<std::string> read_token_file(const std::string& file) {
  const auto failed = [&file](int error) {
    return invalid_argument("token file '" + file + "' cannot be read: " + std::strerror(error));
  };
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(errno);
  std::string text;
  std::array<char, 4096> piece;
  ssize_t n = 0;
  while (text.size() <= kLargest && ((n = ::read(fd, piece.data(), piece.size())) > 0 || (n < 0 && errno == EINTR)))
    if (n > 0) text.append(piece.data(), static_cast<size_t>(n));
  const int error = errno;
  ::close(fd);
  if (n < 0) return failed(error);
  if (text.size() > kLargest)
    return invalid_argument("token file '" + file + "' is larger than " + std::to_string(kLargest) + " bytes");
  return text;
}

Result<std::shared_ptr<TokenStore>> TokenStore::open(std::string file) {
  std::shared_ptr<TokenStore> store(new TokenStore(std::move(file)));
  MM_ASSIGN_OR_RETURN(auto tokens, load(store->file_));
  MutexLock lock(store->mutex_);
  store->tokens_ = std::move(tokens);
  return store;
}

void TokenStore::reload() {
  Result<std::shared_ptr<const TokenTable>> tokens = load(file_);
  if (!tokens.ok()) {
    Log::error("tokens stay as they were", {{"reason", tokens.status().message()}});
    return;
  }
  Log::info("tokens read again", {{"file", file_}, {"tokens", (*tokens)->size()}});
  MutexLock lock(mutex_);
  tokens_ = std::move(*tokens);
}

std::shared_ptr<const TokenTable> TokenStore::tokens() const {
  MutexLock lock(mutex_);
  return tokens_;
}

}  // namespace modelmill
