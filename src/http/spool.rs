//! Downloads that hold nothing up: a producer writes a file at full speed while the reply follows it at its reader's.
//!
//! The file has no name, so it is gone when both are. What the producer holds, such as a read transaction, it holds for
//! as long as writing takes, however slow the reader is. The reply ends with trailers that say what a whole file is, and
//! breaks off where the file is not whole. What does not live here: what is written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// The most that is read at a time.
const CHUNK: usize = 128 << 10;

/// The digest of the file (RFC 9530).
pub(super) const DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// How many rows the file has.
pub(super) const ROWS: HeaderName = HeaderName::from_static("roster-row-count");

/// How far the producer is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    written: u64,
    /// The SHA-256 of what is written.
    digest: [u8; 32],
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// Of so many rows.
    Whole(u64),
    Failed,
}

/// The producer's end of a download.
#[derive(Debug)]
pub struct Writer {
    file: Arc<File>,
    progress: watch::Sender<Progress>,
    written: u64,
    digest: Sha256,
    limit: u64,
}

impl Writer {
    /// Appends `bytes`; the reader may have them from then on. Pieces of some 100 KiB are best.
    ///
    /// # Errors
    ///
    /// When the disk takes no more, the file would pass its limit, or the reader has gone away.
    pub async fn append(&mut self, bytes: impl Into<Bytes>) -> io::Result<()> {
        let bytes: Bytes = bytes.into();
        if self.progress.is_closed() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the reader has gone away"));
        }
        let (file, at, end) = (self.file.clone(), self.written, self.written + bytes.len() as u64);
        if end > self.limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the export is larger than it may be"));
        }
        let mut digest = self.digest.clone();
        self.digest = tokio::task::spawn_blocking(move || {
            digest.update(&bytes);
            file.write_all_at(&bytes, at).map(|()| digest)
        })
        .await??;
        self.written = end;
        let digest = self.digest.clone().finalize().into();
        self.progress.send_modify(|progress| (progress.written, progress.digest) = (end, digest));
        Ok(())
    }
}

/// The reply's end of a download.
pub(super) struct Reader<H> {
    file: Arc<File>,
    progress: watch::Receiver<Progress>,
    read: u64,
    is_done: bool,
    /// The producer stops when the reader is dropped.
    _producer: AbortOnDropHandle<()>,
    _held: H,
}

impl<H: Send + 'static> Reader<H> {
    /// Waits until the file is whole. Gives its length, and what its trailers would say.
    ///
    /// # Errors
    ///
    /// When it does not become whole.
    pub(super) async fn whole(&mut self) -> io::Result<(u64, HeaderMap)> {
        let progress = *self.progress.wait_for(|now| now.end.is_some()).await.map_err(|_| broken())?;
        Ok((progress.written, trailers(&progress)?))
    }

    /// The body of the reply. It breaks off when `ends` is done.
    pub(super) fn into_body(self, ends: impl Future<Output = ()> + Send + 'static) -> Body {
        Body::new(StreamBody::new(stream::try_unfold((self, Box::pin(ends)), |(mut reader, mut ends)| async move {
            let next = tokio::select! {
                biased;
                () = &mut ends => return Err(broken()),
                next = reader.next() => next?,
            };
            Ok::<_, io::Error>(next.map(|frame| (frame, (reader, ends))))
        })))
    }

    /// The next piece, as soon as there is one, and after the last the trailers; none after those.
    async fn next(&mut self) -> io::Result<Option<Frame<Bytes>>> {
        if self.is_done {
            return Ok(None);
        }
        let read = self.read;
        let progress =
            *self.progress.wait_for(|now| now.written > read || now.end.is_some()).await.map_err(|_| broken())?;
        let available = usize::try_from(progress.written - read).unwrap_or(usize::MAX).min(CHUNK);
        if available == 0 {
            self.is_done = true;
            return Ok(Some(Frame::trailers(trailers(&progress)?)));
        }
        let file = self.file.clone();
        let piece = tokio::task::spawn_blocking(move || {
            let mut piece = BytesMut::zeroed(available);
            file.read_exact_at(&mut piece, read).map(|()| piece.freeze())
        })
        .await??;
        self.read += piece.len() as u64;
        Ok(Some(Frame::data(piece)))
    }
}

fn broken() -> io::Error {
    io::Error::other("the download stopped before the end")
}

/// What is said of a file at its end, which has to be a good one.
fn trailers(progress: &Progress) -> io::Result<HeaderMap> {
    let Some(End::Whole(rows)) = progress.end else { return Err(broken()) };
    let digest = format!("sha-256=:{}:", STANDARD.encode(progress.digest));
    let digest = HeaderValue::from_str(&digest).map_err(io::Error::other)?;
    Ok(HeaderMap::from_iter([(DIGEST, digest), (ROWS, HeaderValue::from(rows))]))
}

/// Starts `produce` in the background, which gives the number of rows in the end, and a reader that follows what it
/// writes into a file in `folder`, of at most `limit` bytes. If it fails, the body breaks off, so that the client sees
/// that the file is not whole. If the client goes away, it is stopped. `held` is dropped when the body is: a permit, say.
///
/// # Errors
///
/// When the file cannot be created.
pub(super) async fn follow<F, P, H>(folder: &Path, limit: u64, held: H, produce: F) -> io::Result<Reader<H>>
where
    F: FnOnce(Writer) -> P,
    P: Future<Output = io::Result<u64>> + Send + 'static,
    H: Send + 'static,
{
    let folder = folder.to_owned();
    let file = Arc::new(tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await??);
    let nothing = Progress { digest: Sha256::new().finalize().into(), ..Progress::default() };
    let (sender, progress) = watch::channel(nothing);
    let writer = Writer { file: file.clone(), progress: sender.clone(), written: 0, digest: Sha256::new(), limit };
    let work: Pin<Box<dyn Future<Output = io::Result<u64>> + Send>> = Box::pin(produce(writer));
    let producer = tokio::spawn(
        async move {
            let end = match work.await {
                Ok(rows) => End::Whole(rows),
                Err(error) => {
                    tracing::error!(%error, "an export failed");
                    End::Failed
                }
            };
            sender.send_modify(|progress| progress.end = Some(end));
        }
        .in_current_span(),
    );
    let producer = AbortOnDropHandle::new(producer);
    Ok(Reader { file, progress, read: 0, is_done: false, _producer: producer, _held: held })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use futures_util::StreamExt;
    use http_body_util::BodyExt;
    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_reader_gets_what_was_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let body = follow(folder.path(), u64::MAX, (), |mut writer| async move {
            for at in 0..1_000_u32 {
                writer.append(at.to_string().repeat(100)).await?;
            }
            Ok(1_000)
        });
        let mut reader = body.await.unwrap();
        let (length, whole) = reader.whole().await.unwrap();
        let read = reader.into_body(pending()).collect().await.unwrap();
        let trailers = read.trailers().unwrap().clone();
        let read = read.to_bytes();
        let wanted: String = (0..1_000_u32).map(|at| at.to_string().repeat(100)).collect();
        assert_eq!(read, wanted);
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&wanted)));
        assert_eq!((trailers[DIGEST].to_str().unwrap(), trailers[ROWS].to_str().unwrap()), (&*digest, "1000"));
        assert_eq!((length, whole), (wanted.len() as u64, trailers));
    }

    #[tokio::test]
    async fn a_file_of_nothing_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let reader = follow(folder.path(), 0, (), |_| async { Ok(0) }).await.unwrap();
        let read = reader.into_body(pending()).collect().await.unwrap();
        // The digest of no bytes.
        let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        assert_eq!(read.trailers().unwrap()[DIGEST], digest);
        assert_eq!(read.to_bytes(), "");
    }

    #[tokio::test]
    async fn the_first_bytes_come_before_the_last_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let go_on = Arc::new(Notify::new());
        let waits = go_on.clone();
        let body = follow(folder.path(), u64::MAX, (), |mut writer| async move {
            writer.append("first").await?;
            waits.notified().await;
            writer.append("last").await?;
            Ok(2)
        });
        let mut data = body.await.unwrap().into_body(pending()).into_data_stream();
        assert_eq!(data.next().await.unwrap().unwrap(), "first");
        go_on.notify_one();
        assert_eq!(data.next().await.unwrap().unwrap(), "last");
        assert!(data.next().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_does_not_hold_the_writer_up() {
        let folder = tempfile::tempdir().unwrap();
        let (done, is_done) = oneshot::channel();
        let body = follow(folder.path(), u64::MAX, (), |mut writer| async move {
            for _ in 0..64 {
                writer.append(vec![b'x'; 1 << 20]).await?;
            }
            done.send(()).unwrap();
            Ok(64)
        });
        let body = body.await.unwrap().into_body(pending());
        is_done.await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        let mut size = 0;
        let mut data = body.into_data_stream();
        while let Some(piece) = data.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= CHUNK);
            size += piece.len();
        }
        assert_eq!(size, 64 << 20);
    }

    #[tokio::test]
    async fn a_failed_writer_breaks_the_body_off() {
        let folder = tempfile::tempdir().unwrap();
        let failing = follow(folder.path(), u64::MAX, (), |mut writer| async move {
            writer.append("some").await?;
            Err(io::Error::other("no more"))
        });
        assert!(failing.await.unwrap().into_body(pending()).collect().await.is_err());
        let too_large =
            follow(folder.path(), 3, (), |mut writer| async move { writer.append("four").await.map(|()| 1) });
        let mut too_large = too_large.await.unwrap();
        assert!(too_large.whole().await.is_err());
        assert!(too_large.into_body(pending()).collect().await.is_err());
        let panicking = follow(folder.path(), 3, (), |writer| async move {
            drop(writer);
            panic!("a fault")
        });
        assert!(panicking.await.unwrap().into_body(pending()).collect().await.is_err());
    }

    #[tokio::test]
    async fn a_writer_stops_when_its_reader_goes_away_and_what_was_held_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let (count, held) = (Arc::new(AtomicU64::new(0)), Arc::new(()));
        let counter = count.clone();
        let body = follow(folder.path(), u64::MAX, held.clone(), |mut writer| async move {
            loop {
                writer.append("again and again").await?;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut data = body.await.unwrap().into_body(pending()).into_data_stream();
        data.next().await.unwrap().unwrap();
        drop(data);
        while Arc::strong_count(&count) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
