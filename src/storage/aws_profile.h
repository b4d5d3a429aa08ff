#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/environment.h"

namespace modelmill {

/// What ~/.aws/credentials and ~/.aws/config say of one profile: settings by name.
struct AwsProfile {
  std::string name;
  std::map<std::string, std::string> settings = {};

  /// Empty when it is not set.
  std::string get(const std::string& setting) const;
};

/// The profile that AWS_PROFILE names, or "default". A profile that is named and is in neither file: NOT_FOUND.
Result<AwsProfile> load_aws_profile(const Environment& environment);

/// The settings of one section of such a file, over those that are there. False when there is no such section.
bool read_ini_section(std::string_view text, std::string_view section, std::map<std::string, std::string>& settings);

}  // namespace modelmill
