//! `Executor` of sqlx 0.9.

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx_core_0_9::Either;
use sqlx_core_0_9::describe::Describe;
use sqlx_core_0_9::error::{BoxDynError, Error};
use sqlx_core_0_9::executor::{Execute, Executor};
use sqlx_core_0_9::sql_str::SqlStr;
use sqlx_postgres_0_9::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};

use super::claim::bounded;
use super::execute::{self, Named, Source};
use super::{PgPool, PoolConnection, Transaction};

macro_rules! executor {
    ($lifetime:lifetime, $source:ty, $this:ident => $from:expr) => {
        impl<$lifetime> Executor<$lifetime> for $source {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $this = self;
                execute::fetch_many($from, query)
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $this = self;
                execute::fetch_optional($from, query)
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                $lifetime: 'e,
            {
                let $this = self;
                let source: Source<'e> = $from;
                Box::pin(async move {
                    let ctx = source.check()?;
                    let work = async move {
                        let mut held = source.open().await?;
                        let result = held.connection().prepare_with(sql, parameters).await;
                        held.close(result).await
                    };
                    bounded(ctx, work).await
                })
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                $lifetime: 'e,
            {
                let $this = self;
                let source: Source<'e> = $from;
                Box::pin(async move {
                    let ctx = source.check()?;
                    let work = async move {
                        let mut held = source.open().await?;
                        let result = held.connection().describe(sql).await;
                        held.close(result).await
                    };
                    bounded(ctx, work).await
                })
            }
        }
    };
}

executor!('c, &'_ PgPool, pool => Source::Pool(pool.clone()));
executor!('c, &'c mut PoolConnection, conn => Source::Connection(conn));
executor!('c, &'c mut Transaction, tx => Source::Transaction(tx));

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Named<E> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.is_named && self.query.persistent()
    }
}
