// Archives of other people's making are in tests/integration/test_archives.py.

#include "storage/archive_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/testing/temp_folder.h"
#include "storage/archive_path.h"
#include "storage/folder_sink.h"
#include "storage/testing/made_archive.h"

namespace modelmill {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

const std::atomic<bool> kNotStopped{false};

/// Keeps all in memory.
class MapSink final : public ArchiveSink {
 public:
  Status folder(const std::string& path) override {
    folders.push_back(path);
    return ok_status();
  }
  Status begin_file(const std::string& path, bool) override {
    file_ = path;
    files[path];
    return ok_status();
  }
  Status write(uint64_t offset, std::string_view piece) override {
    std::string& content = files[file_];
    content.resize(std::max<size_t>(content.size(), offset + piece.size()));
    content.replace(offset, piece.size(), piece);
    return ok_status();
  }
  Status end_file(uint64_t size) override {
    files[file_].resize(size);
    return ok_status();
  }

  std::map<std::string, std::string> files;
  std::vector<std::string> folders;

 private:
  std::string file_;
};

class ArchiveReaderTest : public testing::TestWithParam<ArchiveKind> {
 protected:
  std::string make(const std::vector<MadeEntry>& entries) { return make_archive(folder_, GetParam(), entries); }
  Status refusal(const std::string& archive, const ArchiveLimits& limits = {}) {
    MapSink sink;
    return read_archive(archive, limits, sink, kNotStopped).status();
  }

  const TempFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ArchiveReaderTest,
                         testing::Values(ArchiveKind::kTar, ArchiveKind::kTarGz, ArchiveKind::kZip),
                         [](const auto& kind) { return kind_name(kind.param); });

TEST_P(ArchiveReaderTest, GivesFilesAndFolders) {
  const std::string large(3'000'000, 'x');
  MapSink sink;
  const auto content =
      read_archive(make({{"./", '5'}, {"./1/", '5'}, {"./1/model.onnx", '0', large}, {"a//b.txt", '0', "b"}}), {}, sink,
                   kNotStopped);
  ASSERT_TRUE(content.ok()) << content.status().to_string();
  EXPECT_EQ(content->files, 2u);
  EXPECT_EQ(content->bytes, large.size() + 1);
  EXPECT_THAT(sink.files, UnorderedElementsAre(Pair("1/model.onnx", large), Pair("a/b.txt", "b")));
  EXPECT_THAT(sink.folders, testing::ElementsAre("1"));
}

TEST_P(ArchiveReaderTest, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"/etc/passwd", "../x", "a/../../x", "a/..", "a\nb"}) {
    const Status status = refusal(make({{name, '0', "x"}}));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << name;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("archive '"), HasSubstr("entry '"), HasSubstr("pack it anew")));
  }
}

TEST_P(ArchiveReaderTest, RefusesWhatIsNoFile) {
  for (const char type : {'2', '6', '3', '4'}) {
    if (GetParam() == ArchiveKind::kZip && type != '2') continue;
    const Status status = refusal(make({{"ok", '0', "x"}, {"entry", type, "target"}}));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << type;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("entry 'entry'"), HasSubstr("only files and folders"))) << type;
  }
}

TEST_P(ArchiveReaderTest, RefusesWhatIsThereTwice) {
  EXPECT_THAT(refusal(make({{"a", '0', "1"}, {"./a", '0', "2"}})).message(), HasSubstr("twice"));
  EXPECT_THAT(refusal(make({{"a", '0', "1"}, {"a/b", '0', "2"}})).message(), HasSubstr("is a file too"));
  EXPECT_THAT(refusal(make({{"a/b", '0', "1"}, {"a", '0', "2"}})).message(), HasSubstr("a folder and a file"));
}

TEST_P(ArchiveReaderTest, RefusesTooMany) {
  ArchiveLimits limits;
  limits.entries = 2;
  EXPECT_TRUE(refusal(make({{"a", '0'}, {"b", '0'}}), limits).ok());
  const Status status = refusal(make({{"a", '0'}, {"b", '0'}, {"c", '0'}}), limits);
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("more than 2 entries"));
}

TEST_P(ArchiveReaderTest, RefusesTooMuch) {
  ArchiveLimits limits;
  limits.bytes = 2'000;
  EXPECT_TRUE(refusal(make({{"a", '0', std::string(2'000, 'x')}}), limits).ok());
  const std::string two = make({{"a", '0', std::string(1'000, 'x')}, {"b", '0', std::string(1'001, 'x')}});
  EXPECT_EQ(refusal(two, limits).code(), Code::kResourceExhausted);
  EXPECT_THAT(refusal(two, limits).message(), AllOf(HasSubstr("entry 'b'"), HasSubstr("2000 bytes")));
}

TEST_P(ArchiveReaderTest, RefusesABomb) {
  if (GetParam() == ArchiveKind::kTar) return;
  ArchiveLimits limits;
  limits.free_bytes = 1 << 20;
  const std::string bomb = make({{"a", '0', std::string(16 << 20, '\0')}});
  ASSERT_LT(std::filesystem::file_size(bomb), 64u << 10);
  EXPECT_EQ(refusal(bomb, limits).code(), Code::kResourceExhausted);
  limits.ratio = 2'000;
  EXPECT_TRUE(refusal(bomb, limits).ok());
}

TEST_P(ArchiveReaderTest, CutOffAnywhereItIsNotWhole) {
  const std::string archive = make({{"a", '0', std::string(700, 'x')}, {"b", '0', "text"}});
  std::string all;
  {
    std::ifstream in(archive, std::ios::binary);
    all.assign(std::istreambuf_iterator<char>(in), {});
  }
  // A tar ends with zeros, and of those that pad its last file some may be missing.
  const size_t end = GetParam() == ArchiveKind::kTar ? all.size() - (512 - 4) : all.size();
  for (size_t size = 0; size < end; ++size)
    EXPECT_FALSE(refusal(folder_.write("cut", all.substr(0, size))).ok()) << size;
}

TEST_P(ArchiveReaderTest, ADamagedOneIsNoModel) {
  if (GetParam() == ArchiveKind::kTar) return;  // has no checksum of contents
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += std::to_string(i * 7919);
  const std::string archive = make({{"a", '0', text}});
  std::string all;
  {
    std::ifstream in(archive, std::ios::binary);
    all.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t at = 100; at < all.size() - 200; at += 997) {
    std::string damaged = all;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    EXPECT_FALSE(refusal(folder_.write("damaged", damaged)).ok()) << at;
  }
}

TEST_P(ArchiveReaderTest, EndsWhenItIsCancelled) {
  const std::atomic<bool> cancelled{true};
  MapSink sink;
  const auto content = read_archive(make({{"a", '0', "x"}}), {}, sink, cancelled);
  EXPECT_EQ(content.status().code(), Code::kCancelled) << content.status().to_string();
}

TEST_F(ArchiveReaderTest, OtherFilesAreNone) {
  for (const std::string& text :
       {std::string(), std::string("text"), std::string(10'000, '\0'), std::string("\x1f\x8b")})
    EXPECT_FALSE(refusal(folder_.write("model.zip", text)).ok());
  EXPECT_EQ(refusal(folder_.path() + "/nowhere").code(), Code::kNotFound);
}

TEST_F(ArchiveReaderTest, GzippedTwiceIsNone) {
  const std::string once = archive_text(ArchiveKind::kTarGz, {{"a", '0', "x"}});
  EXPECT_FALSE(refusal(folder_.write("twice.tar.gz", made_archive::deflated(once, 31))).ok());
}

TEST_F(ArchiveReaderTest, AHardLinkIsRefused) {
  const std::string archive = make_archive(folder_, ArchiveKind::kTar, {{"a", '0', "x"}, {"b", '1', "a"}});
  EXPECT_THAT(refusal(archive).message(),
              AllOf(HasSubstr("entry 'b': it is a hard link"), HasSubstr("--hard-dereference")));
}

TEST_F(ArchiveReaderTest, WritesPlainFiles) {
  const std::string archive = make_archive(
      folder_, ArchiveKind::kTar, {{"d/x", '0', "text", 04755}, {"y", '0', "more", 0600}, {"empty/", '5', "", 01777}});
  const std::string root = folder_.path() + "/out";
  std::filesystem::create_directory(root);
  FolderSink sink(root);
  ASSERT_TRUE(read_archive(archive, {}, sink, kNotStopped).ok());
  const auto mode = [&](const char* name) { return std::filesystem::status(root + '/' + name).permissions(); };
  EXPECT_EQ(mode("d/x"), std::filesystem::perms(0555));
  EXPECT_EQ(mode("y"), std::filesystem::perms(0444));
  EXPECT_EQ(mode("empty") & std::filesystem::perms(07000), std::filesystem::perms::none);
}

TEST_F(ArchiveReaderTest, LargeFilesCanBePlaceholders) {
  const std::string archive = make_archive(folder_, ArchiveKind::kZip, {{"x", '0', std::string(1'000, 'a')}});
  const std::string root = folder_.path() + "/out";
  std::filesystem::create_directory(root);
  FolderSink sink(root, 10);
  ASSERT_TRUE(read_archive(archive, {}, sink, kNotStopped).ok());
  std::ifstream in(root + "/x", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, std::string(10, 'a') + std::string(990, '\0'));
}

TEST(ArchivePath, IsRelativeAndShort) {
  EXPECT_EQ(*archive_path("./a/./b//c/"), "a/b/c");
  EXPECT_EQ(*archive_path("./"), "");
  EXPECT_EQ(*archive_path("..a/b.."), "..a/b..");
  for (const std::string& name : {std::string(), std::string(".."), std::string("/"), std::string("a/../b"),
                                  std::string(256, 'x'), std::string("x\0y", 3)})
    EXPECT_FALSE(archive_path(name).ok()) << name;
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "a/";
  EXPECT_FALSE(archive_path(deep).ok());
  EXPECT_TRUE(archive_path(deep.substr(2)).ok());
}

TEST(ArchiveLimits, GrowWithTheArchive) {
  const ArchiveLimits limits;
  EXPECT_EQ(limits.bytes_of(0), uint64_t{1} << 30);
  EXPECT_EQ(limits.bytes_of(uint64_t{1} << 30), uint64_t{200} << 30);
  EXPECT_EQ(limits.bytes_of(UINT64_MAX), uint64_t{1} << 40);
}

}  // namespace
}  // namespace modelmill
