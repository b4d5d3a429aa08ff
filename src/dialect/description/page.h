#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "wire/http.h"

namespace modelmill::description {

/// A page for browsers. Its script and styles are in it, and no others run there: it needs no file of any server.
/// Immutable.
class Page {
 public:
  /// Of the embedded files of these names, the styles one after the other.
  Page(std::string_view html, std::initializer_list<std::string_view> styles, std::string_view script);

  wire::HttpReply reply() const;

 private:
  std::string html_;
  std::string policy_;  // Content-Security-Policy
};

}  // namespace modelmill::description
