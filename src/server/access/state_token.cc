#include "server/access/state_token.h"

#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/hex_text.h"
#include "base/private_file.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return internal("no random bytes for a token: OpenSSL's generator failed");
  return hex_text(bytes);
}

}  // namespace

Result<std::string> keep_state_token(const std::string& directory) {
  if (directory.empty()) return unavailable("there is no home folder to keep a token in");
  const fs::path folder = fs::absolute(directory).lexically_normal();
  const std::string file = (folder / "token").string();
  if (::access(file.c_str(), F_OK) == 0) return file;
  MM_RETURN_IF_ERROR(make_private_folder(folder.string()));
  MM_ASSIGN_OR_RETURN(const std::string token, random_token());
  // Written aside and linked: no one reads half a token, and of two servers that start at once one wins.
  const std::string draft = file + "." + std::to_string(::getpid());
  Status status = write_private_file(draft, token + "\n");
  if (status.ok() && ::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST)
    status = unavailable("file '" + file + "' for the server's token cannot be made: " + std::strerror(errno));
  ::unlink(draft.c_str());
  if (!status.ok()) return status;
  return file;
}

}  // namespace modelmill
