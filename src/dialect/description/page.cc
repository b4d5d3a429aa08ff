#include "dialect/description/page.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "dialect/description/page_files.h"
#include "wire/grpc_encoding.h"

namespace modelmill::description {
namespace {

std::string_view file(std::string_view name) {
  const auto& files = page_files();
  const auto found = std::find_if(files.begin(), files.end(), [&](const auto& one) { return one.name == name; });
  MM_CHECK(found != files.end(), "the page's files are part of the program");
  return found->text;
}

/// What a Content-Security-Policy calls a text by.
std::string hash_source(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  MM_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1, "SHA-256");
  return "'sha256-" + wire::base64_padded({reinterpret_cast<const char*>(digest.data()), size}) + "'";
}

/// Puts `text` in the place of `mark`.
void put(std::string& page, std::string_view mark, std::string_view text) {
  const size_t at = page.find(mark);
  MM_CHECK(at != std::string::npos, "the page has a place for each of its parts");
  page.replace(at, mark.size(), text);
}

}  // namespace

Page::Page(std::string_view html, std::initializer_list<std::string_view> styles, std::string_view script)
    : html_(file(html)) {
  std::string style;
  for (const std::string_view one : styles) style += file(one);
  put(html_, "/*STYLE*/", style);
  put(html_, "/*SCRIPT*/", file(script));
  policy_ = "default-src 'none'; connect-src 'self'; script-src " + hash_source(file(script)) + "; style-src " +
            hash_source(style) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

wire::HttpReply Page::reply() const {
  wire::HttpReply reply = wire::HttpReply::text(200, "text/html; charset=utf-8", html_);
  reply.headers.emplace_back("Content-Security-Policy", policy_);
  reply.headers.emplace_back("X-Content-Type-Options", "nosniff");
  reply.headers.emplace_back("Referrer-Policy", "no-referrer");
  reply.headers.emplace_back("Cache-Control", "no-cache");
  return reply;
}

}  // namespace modelmill::description
