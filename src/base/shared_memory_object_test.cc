#include "base/shared_memory_object.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <memory>
#include <string>

#include "base/testing/shared_memory.h"

namespace modelmill {
namespace {

using testing::ClientMemory;

TEST(SharedMemoryObject, Names) {
  EXPECT_EQ(SharedMemoryObject::name_of("x").value(), "x");
  EXPECT_EQ(SharedMemoryObject::name_of("/x").value(), "x");
  EXPECT_EQ(SharedMemoryObject::name_of("///x.y").value(), "x.y");
  EXPECT_EQ(SharedMemoryObject::name_of("/..x").value(), "..x");
  EXPECT_EQ(SharedMemoryObject::name_of(std::string(255, 'x')).value().size(), 255u);
  using std::string_literals::operator""s;
  for (const std::string& bad : {""s, "/"s, "///"s, "."s, ".."s, "/.."s, "../x"s, "/../etc/passwd"s, "a/b"s, "/a/"s,
                                 "a\0b"s, std::string(256, 'x')})
    EXPECT_EQ(SharedMemoryObject::name_of(bad).status().code(), Code::kInvalidArgument) << bad;
}

std::string name_of(const ClientMemory& memory) { return memory.key().substr(1); }

TEST(SharedMemoryObject, ReadsAndWrites) {
  ClientMemory memory(100);
  std::memcpy(memory.data() + 10, "hello", 5);
  const auto object = SharedMemoryObject::open(name_of(memory));
  ASSERT_TRUE(object.ok()) << object.status().to_string();
  EXPECT_EQ(object->size().value(), 100u);
  std::string text(5, ' ');
  ASSERT_TRUE(object->read(10, std::as_writable_bytes(std::span(text))).ok());
  EXPECT_EQ(text, "hello");
  ASSERT_TRUE(object->write(95, std::as_bytes(std::span(text))).ok());
  EXPECT_EQ(memory.view(95, 5), "hello");
}

TEST(SharedMemoryObject, EndsWhereItsMakerHasCutIt) {
  ClientMemory memory(10000);
  const auto object = SharedMemoryObject::open(name_of(memory));
  ASSERT_TRUE(object.ok());
  ASSERT_TRUE(memory.resize(100));
  std::string text(200, ' ');
  EXPECT_EQ(object->read(0, std::as_writable_bytes(std::span(text))).code(), Code::kOutOfRange);
  EXPECT_EQ(object->read(5000, std::as_writable_bytes(std::span(text))).code(), Code::kOutOfRange);
  EXPECT_EQ(object->write(0, std::as_bytes(std::span(text))).code(), Code::kOutOfRange);
  EXPECT_EQ(object->write(5000, std::as_bytes(std::span(text))).code(), Code::kOutOfRange);
  EXPECT_EQ(memory.file_size(), 100u);  // and no write makes it longer again
}

TEST(SharedMemoryObject, IsThereAfterItsNameIsGone) {
  auto memory = std::make_unique<ClientMemory>(8);
  std::memcpy(memory->data(), "12345678", 8);
  const auto object = SharedMemoryObject::open(name_of(*memory));
  memory.reset();
  std::string text(8, ' ');
  ASSERT_TRUE(object->read(0, std::as_writable_bytes(std::span(text))).ok());
  EXPECT_EQ(text, "12345678");
}

TEST(SharedMemoryObject, OpensNothingElse) {
  EXPECT_EQ(SharedMemoryObject::open("modelmill_test_nobody_made_this").status().code(), Code::kNotFound);
  const std::string name = "modelmill_test_other_" + std::to_string(::getpid());
  const std::string path = "/dev/shm/" + name;
  ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_EQ(SharedMemoryObject::open(name).status().message(), "it is a link");
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(SharedMemoryObject::open(name).status().code(), Code::kInvalidArgument);
  ::unlink(path.c_str());
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(SharedMemoryObject::open(name).status().code(), Code::kInvalidArgument);
  ::rmdir(path.c_str());
}

}  // namespace
}  // namespace modelmill
