#include "dialect/torchserve/keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/json_text.h"
#include "base/private_file.h"
#include "dialect/torchserve/answers.h"

namespace modelmill::torchserve {
namespace {

/// 256 random bits in the alphabet of base64 for URLs.
Result<std::string> random_key() {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<unsigned char, 43> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return internal("no random bytes for a key: OpenSSL's generator failed");
  std::string key;
  for (const unsigned char byte : bytes) key += kDigits[byte & 63];
  return key;
}

/// "2024-02-16T21:12:24.801167Z", so long from now.
std::string time_text(Duration from_now) {
  using std::chrono::microseconds;
  const auto at = std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now() +
                                                             std::chrono::duration_cast<microseconds>(from_now));
  const auto whole = std::chrono::floor<std::chrono::seconds>(at);
  const time_t seconds = std::chrono::system_clock::to_time_t(whole);
  tm broken{};
  gmtime_r(&seconds, &broken);
  std::array<char, 32> day{};
  std::string out(day.data(), strftime(day.data(), day.size(), "%Y-%m-%dT%H:%M:%S.", &broken));
  const std::string fraction = std::to_string((at - whole).count());
  return out + std::string(6 - fraction.size(), '0') + fraction + "Z";
}

bool equals(std::string_view presented, std::string_view key) {
  return presented.size() == key.size() && CRYPTO_memcmp(presented.data(), key.data(), key.size()) == 0;
}

/// A file that may be replaced: one of keys that a server has left, or none.
Status check_file(const std::string& file) {
  std::ifstream in(file);
  if (!in) return ok_status();
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.starts_with('{') && text.find("\"API\"") != std::string::npos) return ok_status();
  return invalid_argument("file '" + file +
                          "' is there and holds no keys of TorchServe's, so it is not overwritten; name another one");
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

Result<std::shared_ptr<Keys>> Keys::make(std::string file, Duration lifetime, const TimeSource& time) {
  std::shared_ptr<Keys> keys(new Keys(std::move(file), lifetime, time));
  MM_RETURN_IF_ERROR(check_file(keys->file_));
  auto set = std::make_shared<Set>();
  for (const Kind kind : {Kind::kInference, Kind::kManagement, Kind::kRenewal}) {
    MM_ASSIGN_OR_RETURN(set->key(kind), keys->make_key(kind));
  }
  MM_RETURN_IF_ERROR(keys->write(*set));
  const MutexLock renewing(keys->renewing_);
  keys->has_file_ = true;
  const MutexLock lock(keys->mutex_);
  keys->set_ = std::move(set);
  return keys;
}

Keys::~Keys() { remove_file(); }

void Keys::remove_file() {
  const MutexLock renewing(renewing_);
  // Once: afterwards it may be another server's.
  if (std::exchange(has_file_, false)) ::unlink(file_.c_str());
}

Result<Keys::Key> Keys::make_key(Kind kind) const {
  Key key;
  MM_ASSIGN_OR_RETURN(key.text, random_key());
  if (kind == Kind::kRenewal) return key;
  key.expires = time_.now() + lifetime_;
  key.expires_text = time_text(lifetime_);
  return key;
}

Status Keys::write(const Set& set) const {
  JsonWriter json;
  json.begin_object();
  const auto add = [&json](std::string_view name, const Key& key) {
    json.key(name).begin_object().field("key", key.text);
    if (!key.expires_text.empty()) json.field("expiration time", key.expires_text);
    json.end_object();
  };
  add("management", set.management);
  add("inference", set.inference);
  add("API", set.renewal);
  json.end_object();
  // Written aside: no one reads half a file, and at all times there is one.
  const std::string draft = file_ + ".new";
  MM_RETURN_IF_ERROR(write_private_file(draft, indented(json.take())));
  if (::rename(draft.c_str(), file_.c_str()) == 0) return ok_status();
  const int error = errno;
  ::unlink(draft.c_str());
  return unavailable("file '" + file_ + "' for the keys can't be written: " + std::strerror(error));
}

bool Keys::allows(Kind kind, std::string_view presented) const {
  std::shared_ptr<Set> set;
  {
    const MutexLock lock(mutex_);
    set = set_;
  }
  const Key& key = set->key(kind);
  return equals(presented, key.text) && time_.now() < key.expires;
}

Status Keys::renew(Kind kind) {
  const MutexLock renewing(renewing_);
  if (!has_file_) return failed_precondition("the server is stopping; it makes no keys any more");
  std::shared_ptr<Set> next;
  {
    const MutexLock lock(mutex_);
    next = std::make_shared<Set>(*set_);
  }
  MM_ASSIGN_OR_RETURN(next->key(kind), make_key(kind));
  MM_RETURN_IF_ERROR(write(*next));
  const MutexLock lock(mutex_);
  set_ = std::move(next);
  return ok_status();
}

std::string_view key_in(std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer";
  if (!authorization.starts_with(kBearer)) return {};
  std::string_view key = authorization.substr(kBearer.size());
  size_t spaces = 0;
  while (spaces < key.size() && is_space(key[spaces])) ++spaces;
  key.remove_prefix(spaces);
  if (spaces == 0) return {};
  for (const char c : key)
    if (is_space(c)) return {};
  return key;
}

}  // namespace modelmill::torchserve
