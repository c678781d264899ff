// The SDK finds its keys by itself, as it would on ECS or EKS, and uploads with them.
import { S3Client, PutObjectCommand } from "@aws-sdk/client-s3";

const s3 = new S3Client({ forcePathStyle: true });
const put = (Key) => s3.send(new PutObjectCommand({
  Bucket: process.env.BUCKET, Key, Body: "hello", ServerSideEncryption: "aws:kms", SSEKMSKeyId: process.env.KEY,
}));
await put("logs/by-javascript");
try {
  await put("elsewhere");
  console.log("not kept to its prefix");
} catch (e) {
  console.log(e.name);
}
