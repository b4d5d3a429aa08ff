#include "server/access/state_token.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace modelmill {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return internal("no random bytes for a token: OpenSSL's generator failed");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return ok_status();
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return ok_status();
  return unavailable("folder '" + folder.string() + "' for the server's state cannot be made: " + std::strerror(errno));
}

Status write_file(const std::string& file, std::string text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int error = fd < 0 ? errno : 0;
  while (error == 0 && !text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n > 0) text.erase(0, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) error = errno;
  }
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  if (fd >= 0) ::close(fd);
  if (error == 0) return ok_status();
  return unavailable("file '" + file + "' for the server's token cannot be written: " + std::strerror(error));
}

}  // namespace

std::string default_state_directory(const std::string& xdg_state_home, const std::string& home, bool administrator) {
  if (xdg_state_home.starts_with('/')) return xdg_state_home + "/modelmill";
  if (administrator) return "/var/lib/modelmill";
  return home.starts_with('/') ? home + "/.local/state/modelmill" : std::string();
}

std::string default_state_directory() {
  return default_state_directory(environment("XDG_STATE_HOME"), environment("HOME"), ::geteuid() == 0);
}

Result<std::string> keep_state_token(const std::string& directory) {
  if (directory.empty()) return unavailable("there is no home folder to keep a token in");
  const fs::path folder = fs::absolute(directory).lexically_normal();
  const std::string file = (folder / "token").string();
  if (::access(file.c_str(), F_OK) == 0) return file;
  MM_RETURN_IF_ERROR(make_folder(folder));
  MM_ASSIGN_OR_RETURN(const std::string token, random_token());
  // Written aside and linked: no one reads half a token, and of two servers that start at once one wins.
  const std::string draft = file + "." + std::to_string(::getpid());
  ::unlink(draft.c_str());
  Status status = write_file(draft, token + "\n");
  if (status.ok() && ::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST)
    status = unavailable("file '" + file + "' for the server's token cannot be made: " + std::strerror(errno));
  ::unlink(draft.c_str());
  if (!status.ok()) return status;
  return file;
}

}  // namespace modelmill
